SELECT
    origin,
    temp,
    dewp,
    humid,
    wind_dir,
    wind_speed,
    coalesce(wind_gust, wind_speed) AS wind_gust,
    precip,
    pressure,
    visib,
    time_hour AS observed_at
FROM weather
