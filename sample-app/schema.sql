CREATE TABLE IF NOT EXISTS zip_codes (
  code      text PRIMARY KEY,
  city      text NOT NULL,
  county    text NOT NULL,
  state     text NOT NULL,
  latitude  double precision NOT NULL,
  longitude double precision NOT NULL
);

CREATE TABLE IF NOT EXISTS shipping_zones (
  code      text PRIMARY KEY REFERENCES zip_codes,
  warehouse text NOT NULL,
  km        integer NOT NULL,
  zone      integer NOT NULL
);

CREATE TABLE IF NOT EXISTS bird_strikes (
  row         integer PRIMARY KEY,
  airport     text NOT NULL,
  aircraft    text NOT NULL,
  species     text NOT NULL,
  flight_date date NOT NULL,
  cost_usd    integer NOT NULL
);

CREATE TABLE IF NOT EXISTS claims (
  strike     integer PRIMARY KEY REFERENCES bird_strikes,
  ruling     text NOT NULL,
  payout_usd integer NOT NULL
);
