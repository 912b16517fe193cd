/* coincidences.h - pulse trains of many samples on the rows of a slab, given to cells together.
 *
 * Samples are added, as many as there is room for. Then every row takes some of them, is read,
 * takes some more; then the next ones are added. What the rows have taken waits for them, through
 * this job and others, until somebody is to see the cells.
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
   *  up, [n]. Else pulses are the slots in which a column pulses, four a line, [lines x padded
   *  cols], and rises -1 where its pulses go up, and in a second line where they go down. */
  bool few;
  uint16_t *pulses;
  int16_t *rises;
} mho_meeting;

/** The trains of rows that are still to come, of a sample. */
typedef struct mho_rows_left {
  const mho_pulse_train *next, *end;
} mho_rows_left;

/** Pulses that wait for the cells of an array. */
typedef struct mho_waiting {
  int rows, cols; /**< of the array; columns are padded to some that are looked at side by side */
  uint8_t *count; /**< [rows x cols] how many wait for a cell */
  uint64_t *up;   /**< [rows x cols] bit k: number k goes up; none is set beyond them */
  uint8_t *most;  /**< [rows] that wait for a cell of the row */
} mho_waiting;

/** Most samples that are present together. */
enum { MHO_SLAB_SAMPLES = 128 };

/** The samples that have been added, on rows of an array. */
typedef struct mho_slab_pulses {
  const mho_outer_job *job;
  mho_crossbar *x;
  mho_waiting *w;
  int row0, rows;
  int first, samples, slots;            /**< of the job, and the slots of all of these */
  mho_rows_left left[MHO_SLAB_SAMPLES]; /**< [samples] */
  int next_line[MHO_SLAB_SAMPLES];      /**< [samples] line of left[].next; -1: none is left */
  mho_meeting *meeting;                 /**< [samples x blocks] */
  uint16_t *pulses;                     /**< room of meetings */
  int16_t *rises;                       /**< the same */
  uint32_t *found, *order;              /**< [rows x padded cols] room: cells to be pulsed */
  bool by_rows;                         /**< all cells of a row are given theirs in their order */
} mho_slab_pulses;

/** Nothing waits for the cells of an array of so many rows and columns yet; MHO_ENOMEM. */
mho_err mho__waiting_new(mho_waiting *w, int rows, int cols, mho_errinfo *ei);
void mho__waiting_free(mho_waiting *w);
/** count and up have come from elsewhere, and may be anything. */
void mho__waiting_restored(mho_waiting *w);

/** mho_real's of room. */
size_t mho__slab_room(int rows, int cols);
/** No samples yet. x, whose matrix is not refreshed, has the job's lines. */
void mho__slab_begin(mho_slab_pulses *p, const mho_outer_job *job, mho_crossbar *x,
                     mho_waiting *waiting, int row0, int rows, mho_real *room);
/** Add the next sample; false: there is no room.
 *  @param chop  choppers of the columns, +1 or -1; nullable. */
bool mho__slab_add(mho_slab_pulses *p, const int8_t *chop);
/** A row takes samples from .. to-1, which are among the present ones; cells for which much waits
 *  get it. Rows come in order.
 *  @param chop  its chopper, +1 or -1. */
void mho__slab_row(mho_slab_pulses *p, int row, int8_t chop, int from, int to,
                   mho_pulse_counts *counts);
/** Cells of the row will soon be pulsed: they are fetched on the way to the processor. */
void mho__slab_expect(const mho_slab_pulses *p, int row);
/** The row is to be read after a sample: its cells get what waits for them. */
void mho__slab_read(mho_slab_pulses *p, int row, int sample, mho_pulse_counts *counts);
/** All rows have taken the present samples: the next ones may be added. */
void mho__slab_next(mho_slab_pulses *p);
/** All cells of the slab get what waits for them: behind the job's last sample, or before its
 *  first. */
void mho__slab_give(mho_slab_pulses *p, mho_pulse_counts *counts);

#endif
