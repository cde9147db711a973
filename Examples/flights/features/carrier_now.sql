-- How a carrier is doing at one airport, on a grid of one hour, over hours, days and a month.
WITH marks AS (
    SELECT
        carrier, origin,
        time_bucket(INTERVAL 1 HOUR, departed_at - INTERVAL 1 MICROSECOND) + INTERVAL 1 HOUR AS slot,
        1 AS departed, dep_delay AS dep_delay, 0 AS arrived, 0.0 AS arr_delay, 0 AS arr_late
    FROM departures
    UNION ALL
    SELECT
        carrier, origin,
        time_bucket(INTERVAL 1 HOUR, arrived_at - INTERVAL 1 MICROSECOND) + INTERVAL 1 HOUR,
        0, 0, 1, arr_delay, (arr_delay > 15)::INTEGER
    FROM arrivals
),
slots AS (
    SELECT
        carrier, origin, slot,
        sum(departed) AS departed, sum(dep_delay) AS dep_delay,
        sum(arrived) AS arrived, sum(arr_delay) AS arr_delay, sum(arr_late) AS arr_late
    FROM marks
    GROUP BY carrier, origin, slot
)
SELECT
    carrier,
    origin,
    slot AS published_at,
    sum(dep_delay) OVER three_hours / nullif(sum(departed) OVER three_hours, 0) AS dep_delay_3h,
    sum(arr_delay) OVER six_hours / nullif(sum(arrived) OVER six_hours, 0) AS arr_delay_6h,
    sum(arr_delay) OVER one_day / nullif(sum(arrived) OVER one_day, 0) AS arr_delay_24h,
    sum(arr_late) OVER one_week / nullif(sum(arrived) OVER one_week, 0) AS arr_late_7d,
    sum(arr_late) OVER one_month / nullif(sum(arrived) OVER one_month, 0) AS arr_late_30d
FROM slots
WINDOW
    three_hours AS (
        PARTITION BY carrier, origin ORDER BY slot RANGE BETWEEN INTERVAL 2 HOUR PRECEDING AND CURRENT ROW),
    six_hours AS (
        PARTITION BY carrier, origin ORDER BY slot RANGE BETWEEN INTERVAL 5 HOUR PRECEDING AND CURRENT ROW),
    one_day AS (
        PARTITION BY carrier, origin ORDER BY slot RANGE BETWEEN INTERVAL 23 HOUR PRECEDING AND CURRENT ROW),
    one_week AS (
        PARTITION BY carrier, origin ORDER BY slot RANGE BETWEEN INTERVAL 167 HOUR PRECEDING AND CURRENT ROW),
    one_month AS (
        PARTITION BY carrier, origin ORDER BY slot RANGE BETWEEN INTERVAL 719 HOUR PRECEDING AND CURRENT ROW)
