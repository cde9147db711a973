-- What an aircraft did last, on a grid of 30 minutes: one that left late comes back late.
WITH marks AS (
    SELECT
        tailnum,
        time_bucket(INTERVAL 30 MINUTE, departed_at - INTERVAL 1 MICROSECOND) + INTERVAL 30 MINUTE AS slot,
        departed_at AS known_at, dep_delay AS dep_delay, NULL::DOUBLE AS arr_delay
    FROM departures
    WHERE tailnum IS NOT NULL
    UNION ALL
    SELECT
        tailnum,
        time_bucket(INTERVAL 30 MINUTE, arrived_at - INTERVAL 1 MICROSECOND) + INTERVAL 30 MINUTE,
        arrived_at, NULL, arr_delay
    FROM arrivals
    WHERE tailnum IS NOT NULL
),
slots AS (
    SELECT
        tailnum, slot,
        max_by(dep_delay, known_at) AS dep_delay,
        max_by(arr_delay, known_at) AS arr_delay,
        sum(arr_delay) AS arr_delay_sum,
        count(arr_delay) AS arrived
    FROM marks
    GROUP BY tailnum, slot
)
SELECT
    tailnum,
    slot AS published_at,
    last_value(dep_delay IGNORE NULLS) OVER one_day AS dep_delay_last,
    last_value(arr_delay IGNORE NULLS) OVER one_day AS arr_delay_last,
    coalesce(arr_delay, dep_delay) AS delay_last,
    sum(arr_delay_sum) OVER one_week / nullif(sum(arrived) OVER one_week, 0) AS arr_delay_7d
FROM slots
WINDOW
    one_day AS (PARTITION BY tailnum ORDER BY slot RANGE BETWEEN INTERVAL 1410 MINUTE PRECEDING AND CURRENT ROW),
    one_week AS (PARTITION BY tailnum ORDER BY slot RANGE BETWEEN INTERVAL 10050 MINUTE PRECEDING AND CURRENT ROW)
