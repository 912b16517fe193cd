-- 0011_balance.sql - version 11 of the schema from version 10.
-- Kirchhoff's law and the powers of a network of resistors, at the test images.
-- SPDX-License-Identifier: GPL-3.0-or-later

ALTER TABLE settle ADD COLUMN kirchhoff REAL;
ALTER TABLE settle ADD COLUMN dissipated REAL;
ALTER TABLE settle ADD COLUMN supplied REAL;
