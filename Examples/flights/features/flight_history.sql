-- What the same flight number did on its last days, on a grid of six hours.
WITH slots AS (
    SELECT
        flight_code, origin,
        time_bucket(INTERVAL 6 HOUR, arrived_at - INTERVAL 1 MICROSECOND) + INTERVAL 6 HOUR AS slot,
        count(*) AS arrived,
        sum(dep_delay) AS dep_delay,
        sum(arr_delay) AS arr_delay,
        sum((arr_delay > 15)::INTEGER) AS arr_late,
        sum(arr_delay - dep_delay) AS lost_on_the_way
    FROM arrivals
    GROUP BY flight_code, origin, slot
)
SELECT
    flight_code,
    origin,
    slot AS published_at,
    arr_delay / arrived AS arr_delay_last,
    sum(arr_delay) OVER one_week / sum(arrived) OVER one_week AS arr_delay_7d,
    sum(dep_delay) OVER one_month / sum(arrived) OVER one_month AS dep_delay_30d,
    sum(arr_late) OVER one_month / sum(arrived) OVER one_month AS arr_late_30d,
    sum(lost_on_the_way) OVER one_month / sum(arrived) OVER one_month AS lost_on_the_way_30d
FROM slots
WINDOW
    one_week AS (PARTITION BY flight_code, origin ORDER BY slot
        RANGE BETWEEN INTERVAL 162 HOUR PRECEDING AND CURRENT ROW),
    one_month AS (PARTITION BY flight_code, origin ORDER BY slot
        RANGE BETWEEN INTERVAL 714 HOUR PRECEDING AND CURRENT ROW)
