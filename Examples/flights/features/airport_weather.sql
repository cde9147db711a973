-- The last observation at the airport and what changed over the hours before it.
SELECT
    origin,
    time_bucket(INTERVAL 1 HOUR, observed_at - INTERVAL 1 MICROSECOND) + INTERVAL 1 HOUR AS published_at,
    temp AS temperature,
    temp - dewp AS dew_point_spread,
    humid AS humidity,
    wind_dir AS wind_direction,
    wind_speed,
    wind_gust,
    visib AS visibility,
    precip AS precipitation,
    round(sum(precip) OVER six_hours, 2) AS precipitation_6h,
    pressure,
    pressure - first_value(pressure) OVER three_hours AS pressure_change_3h
FROM weather_observations
WINDOW
    three_hours AS (PARTITION BY origin ORDER BY observed_at RANGE BETWEEN INTERVAL 3 HOUR PRECEDING AND CURRENT ROW),
    six_hours AS (PARTITION BY origin ORDER BY observed_at RANGE BETWEEN INTERVAL 5 HOUR PRECEDING AND CURRENT ROW)
