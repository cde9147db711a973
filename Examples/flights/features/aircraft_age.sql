-- Age in years at the start of the year; a new machine counts as zero.
SELECT
    tailnum,
    registered_at AS published_at,
    greatest(2012 - built, 0)::DOUBLE AS age_years,
    seats::DOUBLE AS seats
FROM aircraft
