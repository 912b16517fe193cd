-- 0006_best_checkpoint.sql - version 6 of the schema from version 5.
-- A checkpoint that is both the last and the best is stored once.
-- SPDX-License-Identifier: GPL-3.0-or-later

ALTER TABLE checkpoint ADD COLUMN is_best INTEGER NOT NULL DEFAULT 0;
