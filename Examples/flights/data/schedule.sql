-- One row per flight of the timetable, all instants in UTC.
-- The arrival clock is the destination's and the table does not say which day, so we take the day that makes the
-- block time closest to cruising at 480 mph plus 40 minutes on the ground.
WITH zoned AS (
    SELECT
        flights.*,
        time_hour + to_minutes(minute) AS departs_at,
        make_timestamp(year, month, day, sched_arr_time // 100, sched_arr_time % 100, 0.0) AS arrival_clock,
        -- Puerto Rico and the Virgin Islands are missing from the airports table.
        CASE WHEN dest IN ('BQN', 'PSE', 'SJU', 'STT') THEN 'America/Puerto_Rico' ELSE tzone END AS arrival_zone
    FROM flights
    LEFT JOIN airports ON airports.faa = flights.dest
),
dayed AS (
    SELECT
        *,
        date_diff('minute', departs_at, timezone('UTC', timezone(arrival_zone, arrival_clock))) AS same_day_block
    FROM zoned
)
SELECT
    concat_ws('-', carrier, flight, origin, strftime(departs_at, '%Y%m%dT%H%M')) AS flight_id,
    carrier || flight AS flight_code,
    carrier,
    origin,
    dest,
    tailnum,
    distance,
    make_timestamp(year, month, day, sched_dep_time // 100, sched_dep_time % 100, 0.0) AS departure_clock,
    departs_at,
    -- Days are added to the local clock before it is converted: the night of a clock change has 23 or 25 hours.
    timezone('UTC', timezone(arrival_zone,
        arrival_clock + to_days(round((distance / 8.0 + 40 - same_day_block) / 1440.0)::INTEGER))) AS arrives_at,
    departs_at - INTERVAL 1 DAY AS published_at
FROM dayed
