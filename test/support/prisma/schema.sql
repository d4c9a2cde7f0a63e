CREATE TYPE "Mood" AS ENUM ('calm', 'in between', 'loud');
CREATE TABLE "Author" (
  id int PRIMARY KEY, email text NOT NULL UNIQUE, name text, mood "Mood" NOT NULL DEFAULT 'calm',
  tags text[] NOT NULL DEFAULT '{}', extra jsonb NOT NULL DEFAULT '{}', avatar bytea NOT NULL DEFAULT '',
  score int NOT NULL, rate numeric NOT NULL, ratio float8 NOT NULL, rough real NOT NULL DEFAULT 0, active boolean NOT NULL,
  born date NOT NULL, wakes time(6) NOT NULL DEFAULT '07:00'
);
CREATE TABLE "Post" (id int PRIMARY KEY, title text NOT NULL, "authorId" int NOT NULL REFERENCES "Author");
CREATE TABLE "Account" (id bigint PRIMARY KEY);
CREATE TABLE "Token" (id uuid PRIMARY KEY);
CREATE TABLE "Word" (id text PRIMARY KEY);
CREATE TABLE "Membership" (team int, member text, PRIMARY KEY (team, member));
CREATE TABLE "event log" (
  id int PRIMARY KEY, "created at" timestamptz(6) NOT NULL, "localTime" timestamp(6) NOT NULL, rank int NOT NULL,
  mood "Mood" NOT NULL DEFAULT 'calm'
);
CREATE TABLE "Reading" (sensor int, at timestamptz(6), PRIMARY KEY (sensor, at));
CREATE TABLE "Visit" (site int, visitor text, at timestamptz(6) NOT NULL, PRIMARY KEY (site, visitor));
CREATE TABLE "Code" (series text NOT NULL, number int NOT NULL, other text UNIQUE, UNIQUE (series, number));
CREATE TABLE "KeyRow" (
  id int PRIMARY KEY, rank int NOT NULL, maybe int, name text COLLATE "C" NOT NULL, "a note" text COLLATE "C",
  at timestamp(6) NOT NULL, seen timestamp(6), big bigint NOT NULL, price numeric(40, 20) NOT NULL
);
CREATE TABLE "Maybe" (id int PRIMARY KEY, mood "Mood", active boolean, ratio float8, born date, code uuid UNIQUE);
CREATE TABLE "Entry" (
  id int PRIMARY KEY, name text NOT NULL, "createdAt" timestamptz(6) NOT NULL, done boolean NOT NULL DEFAULT false,
  touched int NOT NULL DEFAULT 0
);
CREATE TABLE "Stamp" (
  id int PRIMARY KEY, rank int NOT NULL, plain timestamp(3) NOT NULL, local timestamp(3) NOT NULL,
  zoned timestamptz(3) NOT NULL, maybe timestamp(3), fine timestamptz(6) NOT NULL
);
CREATE TABLE "Tick" (at timestamptz(3), beat timestamp(3), PRIMARY KEY (at, beat));
CREATE TYPE "Place" AS ENUM ('office @work', 'home');
CREATE TABLE "Blob" (
  id bytea PRIMARY KEY, code text NOT NULL UNIQUE, rank int NOT NULL, place "Place" NOT NULL DEFAULT 'home'
);
CREATE TABLE "Opaque" (id bytea PRIMARY KEY, rank int NOT NULL);
CREATE VIEW "Tally" AS SELECT count(*)::int AS total FROM "Post";
