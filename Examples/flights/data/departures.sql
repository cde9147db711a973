-- A departure delay is known when the flight has left, not when it was to leave.
SELECT
    concat_ws('-', carrier, flight, origin, strftime(time_hour + to_minutes(minute), '%Y%m%dT%H%M')) AS flight_id,
    carrier || flight AS flight_code,
    carrier,
    origin,
    dest,
    tailnum,
    dep_delay,
    time_hour + to_minutes(minute) + to_minutes(dep_delay::INTEGER) AS departed_at
FROM flights
WHERE dep_delay IS NOT NULL
