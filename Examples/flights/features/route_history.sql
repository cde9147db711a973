-- What a route has been like lately, on a grid of one day.
WITH slots AS (
    SELECT
        origin, dest,
        time_bucket(INTERVAL 1 DAY, arrived_at - INTERVAL 1 MICROSECOND) + INTERVAL 1 DAY AS slot,
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
    sum(arr_delay) OVER one_week / sum(arrived) OVER one_week AS arr_delay_7d,
    sum(arr_late) OVER one_month / sum(arrived) OVER one_month AS arr_late_30d,
    sum(lost_on_the_way) OVER one_week / sum(arrived) OVER one_week AS lost_on_the_way_7d
FROM slots
WINDOW
    one_week AS (PARTITION BY origin, dest ORDER BY slot RANGE BETWEEN INTERVAL 6 DAY PRECEDING AND CURRENT ROW),
    one_month AS (PARTITION BY origin, dest ORDER BY slot RANGE BETWEEN INTERVAL 29 DAY PRECEDING AND CURRENT ROW)
