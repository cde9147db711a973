-- The state of each airport on a grid of 15 minutes: who left, who landed, who should have left and has not.
WITH airports_served AS (
    SELECT * FROM (VALUES ('EWR'), ('JFK'), ('LGA')) AS served(origin)
),
-- The first grid point at or after the moment a thing became known.
left_slots AS (
    SELECT *, time_bucket(INTERVAL 15 MINUTE, departed_at - INTERVAL 1 MICROSECOND) + INTERVAL 15 MINUTE AS slot
    FROM departures
),
due_slots AS (
    SELECT
        *,
        time_bucket(INTERVAL 15 MINUTE, departs_at - INTERVAL 1 MICROSECOND) + INTERVAL 15 MINUTE AS slot
    FROM schedule
),
-- A flight is overdue from its scheduled slot until it leaves. After three hours we stop waiting: it may have been
-- cancelled, and nobody has told us.
overdue AS (
    SELECT
        due.origin,
        due.slot AS due_slot,
        least(coalesce(gone.slot, due.slot + INTERVAL 3 HOUR), due.slot + INTERVAL 3 HOUR) AS end_slot,
        epoch(due.departs_at) / 60 AS due_minute
    FROM due_slots AS due
    LEFT JOIN left_slots AS gone USING (flight_id)
    WHERE gone.slot IS NULL OR gone.slot > due.slot
),
marks AS (
    SELECT
        origin, slot, 1 AS departed, dep_delay AS dep_delay, (dep_delay > 15)::INTEGER AS dep_late,
        0 AS arrived, 0.0 AS arr_delay, 0 AS arr_late, 0 AS waiting, 0.0 AS waiting_since
    FROM left_slots
    UNION ALL
    SELECT
        origin, time_bucket(INTERVAL 15 MINUTE, arrived_at - INTERVAL 1 MICROSECOND) + INTERVAL 15 MINUTE,
        0, 0, 0, 1, arr_delay, (arr_delay > 15)::INTEGER, 0, 0
    FROM arrivals
    UNION ALL
    SELECT origin, due_slot, 0, 0, 0, 0, 0, 0, 1, due_minute FROM overdue
    UNION ALL
    SELECT origin, end_slot, 0, 0, 0, 0, 0, 0, -1, -due_minute FROM overdue
),
slots AS (
    SELECT
        slot,
        origin,
        sum(departed) AS departed, sum(dep_delay) AS dep_delay, sum(dep_late) AS dep_late,
        sum(arrived) AS arrived, sum(arr_delay) AS arr_delay, sum(arr_late) AS arr_late,
        sum(waiting) AS waiting, sum(waiting_since) AS waiting_since
    FROM (
        SELECT * FROM marks
        UNION ALL
        -- Every airport gets a row whenever any of them had an event: they share the same sky.
        SELECT airports_served.origin, slot, 0, 0, 0, 0, 0, 0, 0, 0
        FROM (SELECT DISTINCT slot FROM marks) CROSS JOIN airports_served
    )
    GROUP BY slot, origin
),
here AS (
    SELECT
        *,
        sum(waiting) OVER so_far AS overdue_flights,
        sum(waiting) OVER so_far * (epoch(slot) / 60) - sum(waiting_since) OVER so_far AS overdue_minutes
    FROM slots
    WINDOW so_far AS (PARTITION BY origin ORDER BY slot)
)
SELECT
    origin,
    slot AS published_at,
    sum(dep_delay) OVER one_hour / nullif(sum(departed) OVER one_hour, 0) AS dep_delay_1h,
    sum(dep_delay) OVER two_hours / nullif(sum(departed) OVER two_hours, 0) AS dep_delay_2h,
    sum(dep_late) OVER two_hours / nullif(sum(departed) OVER two_hours, 0) AS dep_late_2h,
    sum(arr_delay) OVER two_hours / nullif(sum(arrived) OVER two_hours, 0) AS arr_delay_2h,
    sum(arr_delay) OVER one_day / nullif(sum(arrived) OVER one_day, 0) AS arr_delay_24h,
    sum(arr_late) OVER one_day / nullif(sum(arrived) OVER one_day, 0) AS arr_late_24h,
    overdue_flights::DOUBLE AS overdue_flights,
    overdue_minutes::DOUBLE AS overdue_minutes,
    sum(dep_delay) OVER everywhere_two_hours / nullif(sum(departed) OVER everywhere_two_hours, 0) AS ny_dep_delay_2h,
    sum(arr_delay) OVER everywhere_two_hours / nullif(sum(arrived) OVER everywhere_two_hours, 0) AS ny_arr_delay_2h,
    sum(overdue_minutes) OVER everywhere_now AS ny_overdue_minutes
FROM here
-- A frame ends with the slot itself, so one hour is this slot and the three before it.
WINDOW
    one_hour AS (PARTITION BY origin ORDER BY slot RANGE BETWEEN INTERVAL 45 MINUTE PRECEDING AND CURRENT ROW),
    two_hours AS (PARTITION BY origin ORDER BY slot RANGE BETWEEN INTERVAL 105 MINUTE PRECEDING AND CURRENT ROW),
    one_day AS (PARTITION BY origin ORDER BY slot RANGE BETWEEN INTERVAL 1425 MINUTE PRECEDING AND CURRENT ROW),
    everywhere_two_hours AS (ORDER BY slot RANGE BETWEEN INTERVAL 105 MINUTE PRECEDING AND CURRENT ROW),
    everywhere_now AS (PARTITION BY slot)
