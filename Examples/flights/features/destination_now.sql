-- How flights to a destination are doing, on a grid of one hour: storms and ground stops there show here first.
WITH marks AS (
    SELECT
        dest,
        time_bucket(INTERVAL 1 HOUR, departed_at - INTERVAL 1 MICROSECOND) + INTERVAL 1 HOUR AS slot,
        1 AS departed, dep_delay AS dep_delay, 0 AS arrived, 0.0 AS arr_delay, 0 AS arr_late
    FROM departures
    UNION ALL
    SELECT
        dest,
        time_bucket(INTERVAL 1 HOUR, arrived_at - INTERVAL 1 MICROSECOND) + INTERVAL 1 HOUR,
        0, 0, 1, arr_delay, (arr_delay > 15)::INTEGER
    FROM arrivals
),
slots AS (
    SELECT
        dest, slot,
        sum(departed) AS departed, sum(dep_delay) AS dep_delay,
        sum(arrived) AS arrived, sum(arr_delay) AS arr_delay, sum(arr_late) AS arr_late
    FROM marks
    GROUP BY dest, slot
)
SELECT
    dest,
    slot AS published_at,
    sum(dep_delay) OVER four_hours / nullif(sum(departed) OVER four_hours, 0) AS dep_delay_4h,
    sum(arr_delay) OVER four_hours / nullif(sum(arrived) OVER four_hours, 0) AS arr_delay_4h,
    sum(arr_delay) OVER one_day / nullif(sum(arrived) OVER one_day, 0) AS arr_delay_24h,
    sum(arr_late) OVER one_day / nullif(sum(arrived) OVER one_day, 0) AS arr_late_24h,
    sum(arr_late) OVER one_week / nullif(sum(arrived) OVER one_week, 0) AS arr_late_7d
FROM slots
WINDOW
    four_hours AS (PARTITION BY dest ORDER BY slot RANGE BETWEEN INTERVAL 3 HOUR PRECEDING AND CURRENT ROW),
    one_day AS (PARTITION BY dest ORDER BY slot RANGE BETWEEN INTERVAL 23 HOUR PRECEDING AND CURRENT ROW),
    one_week AS (PARTITION BY dest ORDER BY slot RANGE BETWEEN INTERVAL 167 HOUR PRECEDING AND CURRENT ROW)
