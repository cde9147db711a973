-- An arrival delay is known when the flight has arrived. Cancelled and diverted flights never get here.
SELECT
    schedule.flight_id,
    schedule.flight_code,
    schedule.carrier,
    schedule.origin,
    schedule.dest,
    schedule.tailnum,
    flights.dep_delay,
    flights.arr_delay,
    (flights.arr_delay > 15)::DOUBLE AS late,
    flights.arr_delay - flights.dep_delay AS lost_on_the_way,
    schedule.arrives_at + to_minutes(flights.arr_delay::INTEGER) AS arrived_at
FROM flights
JOIN schedule
    ON schedule.flight_code = flights.carrier || flights.flight
    AND schedule.origin = flights.origin
    AND schedule.departs_at = flights.time_hour + to_minutes(flights.minute)
WHERE flights.arr_delay IS NOT NULL
