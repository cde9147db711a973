-- The register gives no date of entry. An aircraft built in 2013 is taken as known from the last hour of 2012 like all
-- others: the row holds nothing but what is painted on the machine.
SELECT
    tailnum,
    year AS built,
    seats,
    TIMESTAMP '2012-12-31 00:00:00' AS registered_at
FROM planes
