-- 0009_importance.sql - version 9 of the schema from version 8.
-- What neurons counted for in learning, a layer's mean and spread.
-- SPDX-License-Identifier: GPL-3.0-or-later

ALTER TABLE layer_epoch ADD COLUMN importance_mean REAL;
ALTER TABLE layer_epoch ADD COLUMN importance_std REAL;
