-- What an aircraft did last, on a grid of one hour: one that left late comes back late.
-- It gets a row when it leaves, and one when it lands if the way changed its delay by more than 15 minutes.
WITH marks AS (
    SELECT tailnum, departed_at AS known_at, dep_delay AS delay
    FROM departures
    WHERE tailnum IS NOT NULL
    UNION ALL
    SELECT tailnum, arrived_at, arr_delay
    FROM arrivals
    WHERE tailnum IS NOT NULL AND abs(arr_delay - dep_delay) > 15
),
slots AS (
    SELECT
        tailnum,
        time_bucket(INTERVAL 1 HOUR, known_at - INTERVAL 1 MICROSECOND) + INTERVAL 1 HOUR AS slot,
        -- Two reports of the same minute: the larger delay, so that the answer does not depend on the order of rows.
        max_by(delay, epoch(known_at) * 10000 + delay) AS delay_last,
        sum(delay) AS delay_sum,
        count(*) AS reports
    FROM marks
    GROUP BY tailnum, slot
)
SELECT
    tailnum,
    slot AS published_at,
    delay_last,
    sum(delay_sum) OVER one_day / sum(reports) OVER one_day AS delay_24h,
    sum(delay_sum) OVER one_week / sum(reports) OVER one_week AS delay_7d
FROM slots
WINDOW
    one_day AS (PARTITION BY tailnum ORDER BY slot RANGE BETWEEN INTERVAL 23 HOUR PRECEDING AND CURRENT ROW),
    one_week AS (PARTITION BY tailnum ORDER BY slot RANGE BETWEEN INTERVAL 167 HOUR PRECEDING AND CURRENT ROW)
