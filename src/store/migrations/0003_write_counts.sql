-- 0003_write_counts.sql - version 3 of the schema from version 2.
-- What writing added up to: cut probabilities and reads that verify.
-- SPDX-License-Identifier: GPL-3.0-or-later

ALTER TABLE epoch ADD COLUMN truncated REAL;
ALTER TABLE epoch ADD COLUMN verify_reads REAL;
