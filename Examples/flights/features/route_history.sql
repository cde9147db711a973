-- What a route has been like lately, on a grid of six hours.
WITH slots AS (
    SELECT
        origin, dest,
        time_bucket(INTERVAL 6 HOUR, arrived_at - INTERVAL 1 MICROSECOND) + INTERVAL 6 HOUR AS slot,
        count(*) AS arrived,
        sum(arr_delay) AS arr_delay,
        sum((arr_delay > 15)::INTEGER) AS arr_late,
        sum(arr_delay - dep_delay) AS lost_on_the_way
    FROM arrivals
    GROUP BY origin, dest, slot
)
SELECT
    origin,
    dest,
    slot AS published_at,
    sum(arr_delay) OVER two_days / sum(arrived) OVER two_days AS arr_delay_2d,
    sum(arr_late) OVER one_week / sum(arrived) OVER one_week AS arr_late_7d,
    sum(arr_delay) OVER one_month / sum(arrived) OVER one_month AS arr_delay_30d,
    sum(arr_late) OVER one_month / sum(arrived) OVER one_month AS arr_late_30d,
    sum(lost_on_the_way) OVER one_week / sum(arrived) OVER one_week AS lost_on_the_way_7d
FROM slots
WINDOW
    two_days AS (PARTITION BY origin, dest ORDER BY slot RANGE BETWEEN INTERVAL 42 HOUR PRECEDING AND CURRENT ROW),
    one_week AS (PARTITION BY origin, dest ORDER BY slot RANGE BETWEEN INTERVAL 162 HOUR PRECEDING AND CURRENT ROW),
    one_month AS (PARTITION BY origin, dest ORDER BY slot RANGE BETWEEN INTERVAL 714 HOUR PRECEDING AND CURRENT ROW)
