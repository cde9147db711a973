-- How flights to a destination are doing, on a grid of two hours: storms and ground stops there show here first.
WITH marks AS (
    SELECT
        dest,
        time_bucket(INTERVAL 2 HOUR, departed_at - INTERVAL 1 MICROSECOND) + INTERVAL 2 HOUR AS slot,
        1 AS departed, dep_delay AS dep_delay, 0 AS arrived, 0.0 AS arr_delay
    FROM departures
    UNION ALL
    SELECT
        dest,
        time_bucket(INTERVAL 2 HOUR, arrived_at - INTERVAL 1 MICROSECOND) + INTERVAL 2 HOUR,
        0, 0, 1, arr_delay
    FROM arrivals
),
slots AS (
    SELECT
        dest, slot,
        sum(departed) AS departed, sum(dep_delay) AS dep_delay,
        sum(arrived) AS arrived, sum(arr_delay) AS arr_delay
    FROM marks
    GROUP BY dest, slot
)
SELECT
    dest,
    slot AS published_at,
    sum(dep_delay) OVER four_hours / nullif(sum(departed) OVER four_hours, 0) AS dep_delay_4h,
    sum(arr_delay) OVER four_hours / nullif(sum(arrived) OVER four_hours, 0) AS arr_delay_4h,
    sum(arr_delay) OVER one_day / nullif(sum(arrived) OVER one_day, 0) AS arr_delay_24h
FROM slots
WINDOW
    four_hours AS (PARTITION BY dest ORDER BY slot RANGE BETWEEN INTERVAL 2 HOUR PRECEDING AND CURRENT ROW),
    one_day AS (PARTITION BY dest ORDER BY slot RANGE BETWEEN INTERVAL 22 HOUR PRECEDING AND CURRENT ROW)
