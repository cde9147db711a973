-- The question, once per flight: two hours before it is to leave, will it arrive more than 15 minutes late?
-- Everything but the label and its time comes from the timetable. Cancelled and diverted flights are asked about too
-- and never get a label.
WITH legs AS (
    SELECT
        *,
        date_diff('minute', departs_at, arrives_at)::DOUBLE AS block_minutes,
        -- How long the aircraft has been away by then, going by the timetable. A short absence carries its delay on.
        date_diff('minute', lag(departs_at) OVER aircraft_by_time, departs_at)::DOUBLE AS aircraft_away_minutes,
        date_diff('minute', lag(arrives_at) OVER aircraft_by_time, departs_at)::DOUBLE AS aircraft_back_minutes,
        count(*) OVER origin_by_time::DOUBLE AS origin_departures_around,
        count(*) OVER carrier_by_time::DOUBLE AS carrier_departures_around
    FROM schedule
    WINDOW
        aircraft_by_time AS (PARTITION BY tailnum ORDER BY departs_at),
        origin_by_time AS (PARTITION BY origin ORDER BY departs_at
            RANGE BETWEEN INTERVAL 30 MINUTE PRECEDING AND INTERVAL 30 MINUTE FOLLOWING),
        carrier_by_time AS (PARTITION BY carrier, origin ORDER BY departs_at
            RANGE BETWEEN INTERVAL 60 MINUTE PRECEDING AND INTERVAL 60 MINUTE FOLLOWING)
)
SELECT
    legs.flight_id AS prediction_id,
    legs.departs_at - INTERVAL 2 HOUR AS decision_time,
    legs.departs_at AS departure_time,
    legs.origin,
    legs.dest,
    legs.carrier,
    legs.flight_code,
    legs.tailnum,
    hour(departure_clock) + minute(departure_clock) / 60.0::DOUBLE AS local_hour,
    isodow(departure_clock)::DOUBLE AS weekday,
    hour(timezone('America/New_York', timezone('UTC', legs.arrives_at)))::DOUBLE AS arrival_hour,
    legs.distance,
    legs.block_minutes,
    legs.block_minutes - legs.distance / 8 AS block_padding,
    legs.origin_departures_around,
    legs.carrier_departures_around,
    CASE WHEN legs.tailnum IS NOT NULL THEN least(legs.aircraft_away_minutes, 1440) END AS aircraft_away_minutes,
    CASE WHEN legs.tailnum IS NOT NULL THEN least(legs.aircraft_back_minutes, 1440) END AS aircraft_back_minutes,
    (arrivals.arr_delay > 15)::INTEGER AS late,
    arrivals.arrived_at AS label_time
FROM legs
LEFT JOIN arrivals USING (flight_id)
