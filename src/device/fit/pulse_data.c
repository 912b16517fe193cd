/* pulse_data.c - measured pulses of a file as tracks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/fit/fit.h"
#include "device/fit/pulse_readings.h"

static const double G_MAX = 1;            /* S, as of device.g_max */
static const double NOISE_BELOW_0 = 0.05; /* of the range */

void mho_pulse_data_free(mho_pulse_data *d) {
  mho_free(d->device);
  mho_free(d->first);
  mho_free(d->count);
  mho_free(d->pulse);
  mho_free(d->direction);
  mho_free(d->g);
  mho_free(d->volts_at);
  mho_free(d->dwell);
  *d = (mho_pulse_data){0};
}

/* By device, cycle, and place in the file. */
static int compare(const void *a, const void *b) {
  const mho_pulse_reading *x = a, *y = b;
  if (x->device != y->device)
    return x->device < y->device ? -1 : 1;
  if (x->cycle != y->cycle)
    return x->cycle < y->cycle ? -1 : 1;
  return (x->place > y->place) - (x->place < y->place);
}

/* A file under way to tracks; the readings are sorted. */
typedef struct maker {
  const char *path;
  const mho_pulse_readings *r;
  mho_pulse_data *d;
  mho_errinfo *ei;
} maker;

/* A reading without a pulse goes on in the direction before it, or in the one after it at the
 * beginning of a track, which ends before `end`. */
static int direction_at(const maker *m, int i, int end, bool is_first) {
  const mho_pulse_reading *p = m->r->reading;
  int next = i;
  if (p[i].direction)
    return p[i].direction;
  if (!is_first)
    return m->d->direction[i - 1];
  while (next < end && !p[next].direction)
    next++;
  return next < end ? p[next].direction : 1;
}

/* Pulses from the reading before: the difference of the numbers, from 0 on when the direction has
 * changed. */
static mho_err count_pulses(const maker *m, int i, bool is_first) {
  mho_pulse_data *d = m->d;
  const mho_pulse_reading *p = &m->r->reading[i];
  bool turned = is_first || d->direction[i - 1] != d->direction[i];
  bool apart = m->r->apart && turned && !is_first;
  int last = turned ? 0 : d->pulse[i - 1];
  double number = p->pulse;

  if (isnan(number))
    number = p->direction ? last + 1 : last;
  if (!(number >= 0) || number > 1e8 || number != floor(number))
    return mho_fail_at(m->ei, MHO_EDATA, m->path, p->line,
                       "the pulse number is not a whole number from 0");
  if (!p->direction && number != last)
    return mho_fail_at(m->ei, MHO_EDATA, m->path, p->line,
                       "a pulse of 0 V has number %g after %d: a reading without a pulse has the "
                       "number of the last",
                       number, last);

  d->pulse[i] = (int)number;
  d->count[i] = is_first ? 0 : d->pulse[i] - last;
  if (apart)
    d->count[i] = -1;
  if (d->count[i] < 0 && !apart)
    return mho_fail_at(
        m->ei, MHO_EDATA, m->path, p->line,
        "pulse %d after pulse %d of the same direction: a new cycle needs a 'cycle' of its own",
        d->pulse[i], last);
  return MHO_OK;
}

/* A fit steps through every pulse, whether or not it was read. */
static mho_err check_pulses(const maker *m) {
  static const double ALWAYS = 1e6, A_READING = 10;
  const mho_pulse_data *d = m->d;
  double all = 0;
  for (int i = 0; i < d->n; i++)
    all += d->count[i];

  if (all <= ALWAYS + A_READING * d->n)
    return MHO_OK;
  return mho_fail_at(m->ei, MHO_EDATA, m->path, 0,
                     "%.3g pulses for %d readings, each of which a fit steps through: give "
                     "readings with at most %.3g pulses in all",
                     all, d->n, ALWAYS + A_READING * d->n);
}

/* Numbers that go on over every turn count the pulses of a cycle, not those of a direction: taken
 * as they are, they would say that as many pulses were not read. */
static mho_err check_numbers(const maker *m) {
  const mho_pulse_data *d = m->d;
  int turns = 0, line = 0;
  for (int t = 0; t < d->tracks; t++)
    for (int i = d->first[t] + 1; i < d->first[t + 1]; i++) {
      bool turned = d->direction[i] != d->direction[i - 1];
      if (!turned)
        continue;
      if (isnan(m->r->reading[i].pulse) || d->pulse[i - 1] < 2 ||
          d->pulse[i] != d->pulse[i - 1] + 1)
        return MHO_OK;
      turns++;
      line = line ? line : m->r->reading[i].line;
    }

  if (!turns)
    return MHO_OK;
  return mho_fail_at(m->ei, MHO_EDATA, m->path, line,
                     "pulses are numbered on where the direction changes: count from 1 anew at "
                     "every change, or leave out the column 'pulse'");
}

/* First reading behind those of the track of reading i. */
static int track_end(const mho_pulse_readings *r, int i) {
  int end = i + 1;
  const mho_pulse_reading *p = r->reading;
  while (end < r->n && p[end].device == p[i].device && p[end].cycle == p[i].cycle)
    end++;
  return end;
}

/* Pulses whose readings are missing go into the count of the next reading, where that is of their
 * direction: what was not read is a gap, as where it is not in the file. */
static void close_gaps(mho_pulse_data *d) {
  int to = 0;
  for (int t = 0; t < d->tracks; t++) {
    int first = d->first[t];
    d->first[t] = to;
    for (int i = first; i < d->first[t + 1]; i++) {
      bool is_gap = i > first && i + 1 < d->first[t + 1] && !isfinite(d->g[i]) &&
                    d->direction[i + 1] == d->direction[i] && d->count[i] >= 0;
      if (is_gap) {
        d->count[i + 1] += d->count[i];
        d->gaps++;
        continue;
      }

      d->g[to] = d->g[i];
      d->direction[to] = d->direction[i];
      d->pulse[to] = d->pulse[i];
      d->count[to++] = d->count[i];
    }
  }
  d->n = d->first[d->tracks] = to;
}

/* The sorted readings into d. */
static mho_err fill(const maker *m) {
  mho_pulse_data *d = m->d;
  const mho_pulse_reading *p = m->r->reading;
  d->n = m->r->n;

  for (int first = 0; first < d->n; first = d->first[d->tracks]) {
    int end = track_end(m->r, first);
    d->devices += first == 0 || p[first].device != p[first - 1].device;
    d->device[d->tracks++] = d->devices - 1;
    d->first[d->tracks] = end;

    for (int i = first; i < end; i++) {
      d->g[i] = p[i].g;
      d->missing += !isfinite(p[i].g);
      d->direction[i] = (signed char)direction_at(m, i, end, i == first);
      mho_err err = count_pulses(m, i, i == first);
      if (err)
        return err;
    }
  }

  mho_err err = check_numbers(m);
  if (err)
    return err;

  memcpy(d->volts, m->r->volts, sizeof d->volts);
  close_gaps(d);
  return check_pulses(m);
}

/* Conductances that no device has are a question to the user. A reading may fall below 0 by its
 * noise, but not by as much of what the file spans. */
static mho_err check_conductances(const maker *m) {
  const mho_pulse_reading *low = NULL, *high = NULL;
  for (int i = 0; i < m->r->n; i++) {
    const mho_pulse_reading *p = &m->r->reading[i];
    if (!isfinite(p->g))
      continue;
    if (!low || p->g < low->g)
      low = p;
    if (!high || p->g > high->g)
      high = p;
  }

  if (!low)
    return MHO_OK;

  if (low->g < -NOISE_BELOW_0 * (high->g - low->g))
    return mho_fail_at(m->ei, MHO_EDATA, m->path, low->line,
                       "a conductance of %g S cannot be: are these weights? Map them onto "
                       "conductances, g = (g_min + g_max)/2 + w (g_max - g_min)/2 for weights from "
                       "-1 to 1: steps are relative to the range and stay what they are",
                       low->g);
  if (high->g > G_MAX)
    return mho_fail_at(m->ei, MHO_EDATA, m->path, high->line,
                       "a conductance of %g S is no device's (%g S at most): which unit is the "
                       "file in? For microsiemens add --unit uS",
                       high->g, G_MAX);
  return MHO_OK;
}

/* Readings as tracks, into d, which is empty. */
static mho_err to_tracks(const maker *m) {
  size_t n = (size_t)m->r->n;
  mho_pulse_data *d = m->d;
  mho_err err = check_conductances(m);
  if (err)
    return err;

  *d = (mho_pulse_data){.device = mho_alloc(n, sizeof *d->device),
                        .first = mho_alloc(n + 1, sizeof *d->first),
                        .count = mho_alloc(n, sizeof *d->count),
                        .pulse = mho_alloc(n, sizeof *d->pulse),
                        .direction = mho_alloc(n, 1),
                        .g = mho_alloc(n, sizeof *d->g)};
  if (!d->device || !d->first || !d->count || !d->pulse || !d->direction || !d->g)
    return mho_fail(m->ei, MHO_ENOMEM, "no memory for %zu readings", n);
  return fill(m);
}

mho_err mho_pulse_data_read(const char *path, const mho_pulse_format *format, mho_pulse_data *out,
                            mho_errinfo *ei) {
  mho_pulse_readings r;
  *out = (mho_pulse_data){0};
  mho_err err = mho__pulse_readings(path, format, &r, ei);
  if (err)
    return err;

  int first_line = r.n ? r.reading[0].line : 0;
  qsort(r.reading, (size_t)r.n, sizeof *r.reading, compare);
  err = to_tracks(&(maker){path, &r, out, ei});
  free(r.reading);
  int read = out->n + out->gaps - out->missing;
  if (!err && read < 3)
    err = mho_fail_at(
        ei, MHO_EDATA, path, first_line,
        "%d reading%s from here on: a fit needs three at least (empty cells, NA and nan "
        "are none)",
        read, read == 1 ? "" : "s");
  if (err)
    mho_pulse_data_free(out);
  return err;
}
