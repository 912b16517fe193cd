/* waveform.c - the voltage that a line has after a spike of its own: its text, and its values.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/waveform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 48 };
static const double VOLTS_MAX = 100, SECONDS_MAX = 1e6;

/* ---------------------------------------------------------------- words */

/* A text that is read word by word. */
typedef struct reader {
  const char *at;
  int piece; /* that is being read, from 1 */
  mho_errinfo *ei;
} reader;

static const char *const between = " ,\t";

/* The next word, "" at the end; it is cut where it is too long for any that is known. */
static void look(const reader *r, char word[WORD_MAX]) {
  const char *at = r->at + strspn(r->at, between);
  size_t n = strcspn(at, between);
  n = mho_min_size(n, WORD_MAX - 1);
  memcpy(word, at, n);
  word[n] = '\0';
}

static void skip(reader *r) {
  r->at += strspn(r->at, between);
  r->at += strcspn(r->at, between);
}

/* Whether the next word is this one, which is then behind. */
static bool take(reader *r, const char *expected) {
  char word[WORD_MAX];
  look(r, word);
  bool is_there = !strcmp(word, expected);
  if (is_there)
    skip(r);
  return is_there;
}

static bool is_number(const char *word) {
  char *end;
  strtod(word, &end);
  return end != word && !*end;
}

static mho_err wrong(const reader *r, const char *expected) {
  char word[WORD_MAX];
  look(r, word);
  return mho_fail(r->ei, MHO_ECONFIG,
                  "piece %d: %s%s%s where %s should be: a piece is for example '0.3 V for 10 us', "
                  "'0.4 V to 0 V in 50 us' or '0.4 V tau 20 us for 60 us'",
                  r->piece, *word ? "'" : "", *word ? word : "the end", *word ? "'" : "", expected);
}

/* A number with its unit, as one word or two; of 0 the unit may be left out. */
static mho_err quantity(reader *r, const char *unit, double low, double high, double *out) {
  char text[2 * WORD_MAX], word[WORD_MAX];
  mho_errinfo why = {0};
  look(r, word);
  char *end;
  strtod(word, &end);
  if (end == word)
    return wrong(r, !strcmp(unit, "V") ? "a voltage" : "a time");

  skip(r);
  strcpy(text, word);
  bool is_bare = is_number(word);
  look(r, word);
  bool is_unit = *word && !is_number(word) && strcmp(word, "for") && strcmp(word, "to") &&
                 strcmp(word, "in") && strcmp(word, "tau");
  if (is_bare && is_unit) {
    mho_text_append(text, sizeof text, " %s", word);
    skip(r);
  }

  if (mho_quantity_parse(text, unit, false, out, &why))
    return mho_fail(r->ei, MHO_ECONFIG, "piece %d: %s", r->piece, why.message);
  if (!(*out >= low && *out <= high))
    return mho_fail(r->ei, MHO_ECONFIG, "piece %d: '%s' is out of range: expected %g to %g %s",
                    r->piece, text, low, high, unit);
  return MHO_OK;
}

/* ---------------------------------------------------------------- pieces */

static mho_err duration(reader *r, double *out) {
  mho_err err = quantity(r, "s", 0, SECONDS_MAX, out);
  if (!err && *out == 0)
    err = mho_fail(r->ei, MHO_ECONFIG, "piece %d lasts 0 s: leave it out", r->piece);
  return err;
}

/* "0 V in 50 us": the rest of a ramp from `a`. */
static mho_err ramp(reader *r, double a, double *length, mho_wave_piece *p) {
  double to;
  mho_err err = quantity(r, "V", -VOLTS_MAX, VOLTS_MAX, &to);
  if (!err && !take(r, "in"))
    err = wrong(r, "'in'");
  if (!err)
    err = duration(r, length);
  if (!err)
    *p = (mho_wave_piece){.a = a, .b = (to - a) / *length};
  return err;
}

/* "20 us for 60 us": the rest of an exponential from `c`. */
static mho_err exponential(reader *r, double c, double *length, mho_wave_piece *p) {
  double tau;
  mho_err err = quantity(r, "s", -SECONDS_MAX, SECONDS_MAX, &tau);
  if (!err && tau == 0)
    err = mho_fail(r->ei, MHO_ECONFIG, "piece %d: tau of 0 s: leave the piece out", r->piece);
  if (!err && !take(r, "for"))
    err = wrong(r, "'for'");
  if (!err)
    err = duration(r, length);
  if (!err && fabs(c * exp(-*length / tau)) > VOLTS_MAX)
    err =
        mho_fail(r->ei, MHO_ECONFIG, "piece %d grows beyond %g V: shorten it", r->piece, VOLTS_MAX);
  if (!err)
    *p = (mho_wave_piece){.c = c, .tau = tau};
  return err;
}

static mho_err read_piece(reader *r, double start, mho_wave_piece *p) {
  double volts, length = 0;
  mho_err err = quantity(r, "V", -VOLTS_MAX, VOLTS_MAX, &volts);
  if (err)
    return err;

  if (take(r, "for")) {
    err = duration(r, &length);
    *p = (mho_wave_piece){.a = volts};
  } else if (take(r, "to")) {
    err = ramp(r, volts, &length, p);
  } else if (take(r, "tau")) {
    err = exponential(r, volts, &length, p);
  } else {
    err = wrong(r, "'for', 'to' or 'tau'");
  }

  p->start = start;
  p->end = start + length;
  return err;
}

mho_err mho__wave_parse(const char *text, mho_wave *out, mho_errinfo *ei) {
  reader r = {.at = text, .piece = 1, .ei = ei};
  char word[WORD_MAX];
  *out = (mho_wave){0};

  for (look(&r, word); *word; look(&r, word)) {
    if (out->n == MHO_WAVE_PIECES)
      return mho_fail(ei, MHO_ECONFIG, "the waveform has more than %d pieces", MHO_WAVE_PIECES);
    mho_err err = read_piece(&r, mho__wave_end(out), &out->piece[out->n]);
    if (err)
      return err;
    out->n++;
    r.piece++;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- values */

double mho__wave_end(const mho_wave *w) {
  return w->n ? w->piece[w->n - 1].end : 0;
}

double mho__wave_volts(const mho_wave *w, double t) {
  for (int i = 0; i < w->n; i++) {
    const mho_wave_piece *p = &w->piece[i];
    double at = t - p->start;
    if (t >= p->start && t < p->end)
      return p->a + p->b * at + (p->c != 0 ? p->c * exp(-at / p->tau) : 0);
  }
  return 0;
}
