/* coincidences.h - pulse trains of many samples on the rows of a slab, given to cells together.
 * due together.
 *
 * Samples are added, as many as there is room for. Then every row takes some of them, is read,
 * takes some more; then these samples are at an end, and the next ones are added.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_PROGRAM_COINCIDENCES_H
#define MHO_PROGRAM_COINCIDENCES_H

#include "device/series.h"
#include "program/trains.h"

/** The columns of a block (MHO_DEVICE_BLOCK) in a sample. */
typedef struct mho_meeting {
  const mho_pulse_train *col; /**< [n] those that pulse */
  int n;
  /** These are few. Then pulses are their numbers in the block, and rises -1 where their pulses go
   *  up, [n]. Else pulses are -1 where a column pulses, [slots x padded cols], and rises -1 where
   *  its pulses go up, [columns of the block]. */
  bool few;
  int16_t *pulses, *rises;
} mho_meeting;

/** The trains of rows that are still to come, of a sample. */
typedef struct mho_rows_left {
  const mho_pulse_train *next, *end;
} mho_rows_left;

/** The samples that have been added, and the pulses that wait for cells of the slab. Rows are
 *  padded to a multiple of so many columns that are looked at side by side. */
typedef struct mho_slab_pulses {
  const mho_outer_job *job;
  mho_crossbar *x;
  int row0, rows;
  int first, samples, slots;           /**< of the job, and the slots of all of these */
  mho_rows_left left[MHO_TRAIN_SLOTS]; /**< [samples] */
  mho_meeting *meeting;                /**< [samples x blocks] */
  int16_t *pulses, *rises;             /**< room of meetings */
  /** [rows x padded cols] how many pulses wait for a cell, and bit k: number k goes up; set where
   *  the row is used */
  uint8_t *count;
  uint64_t *up;
  uint8_t *is_used;        /**< [rows] */
  int most;                /**< that wait for a cell, at most */
  uint32_t *found, *order; /**< [rows x padded cols] room: cells that are to be pulsed */
} mho_slab_pulses;

/** mho_real's of room. */
size_t mho__slab_room(int rows, int cols);
/** No samples yet, and nothing waits. x, whose matrix is not refreshed, has the job's lines. */
void mho__slab_begin(mho_slab_pulses *p, const mho_outer_job *job, mho_crossbar *x, int row0,
                     int rows, mho_real *room);
/** Add the next sample; false: there is no room.
 *  @param chop  choppers of the columns, +1 or -1; nullable. */
bool mho__slab_add(mho_slab_pulses *p, const int8_t *chop);
/** A row takes samples from .. to-1, which are among the present ones. Rows come in order.
 *  @param chop  its chopper, +1 or -1. */
void mho__slab_row(mho_slab_pulses *p, int row, int8_t chop, int from, int to);
/** The row is to be read after a sample: its cells get what waits for them. */
void mho__slab_read(mho_slab_pulses *p, int row, int sample, mho_pulse_counts *counts);
/** The present samples are at an end: cells for which much waits get it, and with the job's last
 *  sample all cells. */
void mho__slab_end(mho_slab_pulses *p, mho_pulse_counts *counts);

#endif
