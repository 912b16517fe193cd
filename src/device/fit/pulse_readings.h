/* pulse_readings.h - rows of a table of measured pulses, before they are tracks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_FIT_PULSE_READINGS_H
#define MHO_DEVICE_FIT_PULSE_READINGS_H

#include "mho/model/device.h"

/* One reading. */
typedef struct mho_pulse_reading {
  double device, cycle; /* numbers of their labels */
  double pulse;         /* NaN: one after the last */
  int direction;        /* 0: there was no pulse */
  int line, place;      /* in the file; in the order of readings */
  double g;             /* S, NaN: missing */
} mho_pulse_reading;

typedef struct mho_pulse_readings {
  int n;
  mho_pulse_reading *reading; /* [n]; freed with free() */
  bool apart;      /* SET and RESET are columns of their own: what is between is unknown */
  double volts[2]; /* of SET and RESET pulses; 0: not in the file */
} mho_pulse_readings;

/* The readings of a file as mho_pulse_data_read describes it. */
mho_err mho__pulse_readings(const char *path, const mho_pulse_format *format,
                            mho_pulse_readings *out, mho_errinfo *ei);

#endif
