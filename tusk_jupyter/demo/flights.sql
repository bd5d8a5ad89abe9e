-- name: tables
-- Columns keep the names of the data set. Measures are integer rather than smallint, so that air_time * distance
-- does not overflow; identifiers and calendar fields are smallint.

create domain iata_code as text check (length(value) = 3);
comment on domain iata_code is 'Three letters or digits that name an airport, given by IATA or the FAA';

create type plane_type as enum ('Rotorcraft', 'Fixed wing single engine', 'Fixed wing multi engine');
comment on type plane_type is 'Kind of aircraft, as the FAA registers it';

create type engine_type as enum ('Reciprocating', '4 Cycle', 'Turbo-prop', 'Turbo-shaft', 'Turbo-jet', 'Turbo-fan');
comment on type engine_type is 'Kind of engine, as the FAA registers it';

create table airlines (
    carrier text not null check (length(carrier) = 2),
    name text not null
);
comment on table airlines is 'Carriers by their two-letter code';
comment on column airlines.carrier is 'Two-letter carrier code';
comment on column airlines.name is 'Full name';

create table airports (
    faa iata_code not null,
    name text not null,
    lat double precision not null check (lat between -90 and 90),
    lon double precision not null check (lon between -180 and 180),
    alt integer not null,
    tz smallint not null,
    dst text not null check (dst in ('A', 'U', 'N')),
    tzone text
);
comment on table airports is 'Airports and airfields, most of them in the United States (a few have wrong coordinates or zones; they are as published)';
comment on column airports.faa is 'FAA airport code';
comment on column airports.name is 'Usual name';
comment on column airports.lat is 'Latitude, degrees north';
comment on column airports.lon is 'Longitude, degrees east (negative in the Americas)';
comment on column airports.alt is 'Altitude in feet';
comment on column airports.tz is 'Offset from UTC in hours, in winter';
comment on column airports.dst is 'Daylight saving time: A as in the United States, N none, U unknown';
comment on column airports.tzone is 'Time zone by its IANA name; NULL where unknown';

create table planes (
    tailnum text not null,
    year smallint,
    type plane_type not null,
    manufacturer text not null,
    model text not null,
    engines smallint not null check (engines > 0),
    seats integer not null check (seats > 0),
    speed integer,
    engine engine_type not null
);
comment on table planes is 'Aircraft in the FAA registry; those of some carriers are missing';
comment on column planes.tailnum is 'Tail number';
comment on column planes.year is 'Year of manufacture; NULL where unknown';
comment on column planes.type is 'Kind of aircraft';
comment on column planes.manufacturer is 'Who built it';
comment on column planes.model is 'Model, as the manufacturer calls it';
comment on column planes.engines is 'Number of engines';
comment on column planes.seats is 'Number of seats';
comment on column planes.speed is 'Average cruising speed in miles per hour; NULL for nearly all';
comment on column planes.engine is 'Kind of engine';

create table weather (
    origin iata_code not null,
    year smallint not null,
    month smallint not null check (month between 1 and 12),
    day smallint not null check (day between 1 and 31),
    hour smallint not null check (hour between 0 and 23),
    temp numeric(5, 2),
    dewp numeric(5, 2),
    humid numeric(5, 2) check (humid between 0 and 100),
    wind_dir smallint check (wind_dir between 0 and 360),
    wind_speed double precision check (wind_speed >= 0),
    wind_gust double precision check (wind_gust >= 0),
    precip numeric(4, 2) not null check (precip >= 0),
    pressure numeric(5, 1),
    visib numeric(4, 2) not null check (visib >= 0),
    time_hour timestamptz not null
);
comment on table weather is 'Hourly weather at the three airports of New York City in 2013';
comment on column weather.origin is 'Weather station: the airport it stands at';
comment on column weather.year is 'Local year';
comment on column weather.month is 'Local month';
comment on column weather.day is 'Local day of the month';
comment on column weather.hour is 'Local hour';
comment on column weather.temp is 'Temperature in degrees Fahrenheit';
comment on column weather.dewp is 'Dew point in degrees Fahrenheit';
comment on column weather.humid is 'Relative humidity in per cent';
comment on column weather.wind_dir is 'Wind direction in degrees; NULL where it was calm or variable';
comment on column weather.wind_speed is 'Wind speed in miles per hour (converted from knots; one value of 1048 is an error of the source)';
comment on column weather.wind_gust is 'Speed of gusts in miles per hour; NULL where there were none';
comment on column weather.precip is 'Precipitation in inches';
comment on column weather.pressure is 'Pressure at sea level in millibars';
comment on column weather.visib is 'Visibility in miles';
comment on column weather.time_hour is 'The hour as a moment in time; unlike year, month, day and hour it is unique when clocks go back';

create table flights (
    year smallint not null,
    month smallint not null check (month between 1 and 12),
    day smallint not null check (day between 1 and 31),
    dep_time smallint check (dep_time between 1 and 2400),
    sched_dep_time smallint not null check (sched_dep_time between 1 and 2400),
    dep_delay integer,
    arr_time smallint check (arr_time between 1 and 2400),
    sched_arr_time smallint not null check (sched_arr_time between 1 and 2400),
    arr_delay integer,
    carrier text not null,
    flight smallint not null,
    tailnum text,
    origin iata_code not null,
    dest iata_code not null,
    air_time integer check (air_time > 0),
    distance integer not null check (distance > 0),
    hour smallint not null check (hour between 0 and 23),
    minute smallint not null check (minute between 0 and 59),
    time_hour timestamptz not null
);
comment on table flights is 'Every flight that departed, or should have, from EWR, JFK or LGA in 2013';
comment on column flights.year is 'Local year of departure';
comment on column flights.month is 'Local month of departure';
comment on column flights.day is 'Local day of departure';
comment on column flights.dep_time is 'Local time of departure as HHMM (517 is 5:17, 2400 midnight); NULL: cancelled';
comment on column flights.sched_dep_time is 'Scheduled local time of departure as HHMM';
comment on column flights.dep_delay is 'Departure delay in minutes, negative when early';
comment on column flights.arr_time is 'Local time of arrival as HHMM';
comment on column flights.sched_arr_time is 'Scheduled local time of arrival as HHMM';
comment on column flights.arr_delay is 'Arrival delay in minutes, negative when early; NULL: cancelled or diverted';
comment on column flights.carrier is 'Two-letter carrier code';
comment on column flights.flight is 'Flight number';
comment on column flights.tailnum is 'Tail number. Not a foreign key: the planes of 50,094 flights are not in planes';
comment on column flights.origin is 'Airport of departure: EWR, JFK or LGA';
comment on column flights.dest is 'Destination. Not a foreign key: BQN, PSE, SJU and STT (7,602 flights) are not in airports';
comment on column flights.air_time is 'Minutes in the air; NULL: cancelled or diverted';
comment on column flights.distance is 'Distance between the airports in miles';
comment on column flights.hour is 'Hour of the scheduled departure';
comment on column flights.minute is 'Minute of the scheduled departure';
comment on column flights.time_hour is 'Scheduled departure, cut to the hour, as a moment in time. Not a foreign key: weather has no row for 1,556 flights';

-- name: keys
-- After the rows, because building an index at once is faster than keeping it up row by row. Foreign keys are declared
-- where the data satisfy them; the comments say where they do not.

alter table airlines add primary key (carrier);
alter table airports add primary key (faa);
alter table planes add primary key (tailnum);
alter table weather add primary key (origin, time_hour);
alter table flights add primary key (time_hour, carrier, flight);

alter table weather add foreign key (origin) references airports;
alter table flights add foreign key (carrier) references airlines;
alter table flights add foreign key (origin) references airports;

create index on flights (tailnum);
create index on flights (dest);
create index on flights (origin, time_hour);

analyze airlines;
analyze airports;
analyze planes;
analyze weather;
analyze flights;
