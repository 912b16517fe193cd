/* An epoch of scheme tiki_taka, variant chopped, over one of scheme stochastic, 784-256-128-10 by
 * backpropagation at equal batch, in turn; run by `meson test --benchmark`.
 *
 * "as many" has stochastic at the rate at which it gives as many pulses, so that the ratio is what
 * transfers and choppers cost; "rate 0.1" at a rate that users take, so that the ratio holds the
 * pulses that the fast array gets beyond that. The floor is the number of pulses over the rate at
 * which a bank of the same device takes pulses on all its cells.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "bench.h"
#include "mho/model/check.h"

enum { ROUNDS = 3, CELLS = 64 * MHO_DEVICE_BLOCK };

#define NET                                                                                        \
  "dataset: {name: random, train: 500, test: 1}\nnetwork: {hidden: [256, 128]}\n"                  \
  "rule: bp\ntrain: {batch: 100}\n"

typedef struct side {
  mho_experiment *e;
  mho_trainer *t;
  double seconds, pulses; /* of an epoch: the best, the last */
} side;

static side open_side(const mho_registry *r, const mho_context *ctx, const char *card,
                      const char *update) {
  char yaml[512];
  mho_errinfo ei = {0};
  mho_config *c;
  side s = {.seconds = 1e9};
  snprintf(yaml, sizeof yaml, NET "device: {card: %s}\nupdate: {%s}\n", card, update);
  if (mho_config_new(&c, &ei) || mho_config_text(c, yaml, "bench", &ei) ||
      mho_experiment_new(r, c, false, &s.e, &ei) || mho_trainer_new(ctx, s.e, &s.t, &ei))
    die(&ei);
  mho_config_free(c);
  return s;
}

static void close_side(side *s) {
  mho_trainer_free(s->t);
  mho_experiment_free(s->e);
}

static void train(side *s) {
  mho_epoch_row row;
  mho_errinfo ei = {0};
  if (mho_trainer_epoch(s->t, &row, &ei))
    die(&ei);
  s->seconds = fmin(s->seconds, row.wall_s);
  s->pulses = row.pulses;
}

/* Pulses a second of a bank whose cells all get them, best of some. */
static double pulse_rate(const mho_experiment *e) {
  static int16_t count[CELLS];
  mho_errinfo ei = {0};
  mho_cells *c;
  mho_pulse_counts counts = {0};
  double best = 1e9;
  if (mho_cells_new((const mho_device_model *)e->device.entry, e->device.params, &e->device_config,
                    CELLS, mho_rng_make(1, MHO_RNG_CHIP, 0), mho_rng_make(1, MHO_RNG_PULSE, 0), &c,
                    &ei))
    die(&ei);

  for (int i = 0; i < CELLS; i++)
    count[i] = i % 2 ? 1 : -1;
  for (uint64_t k = 0; k < 50; k++) {
    double start = mho_seconds();
    for (size_t i = 0; i < CELLS; i += MHO_DEVICE_BLOCK)
      mho_cells_pulse(c, i, MHO_DEVICE_BLOCK, count + i, k, &counts);
    best = fmin(best, mho_seconds() - start);
  }
  mho_cells_free(c);
  return CELLS / best;
}

static void print(const char *card, const char *name, const side *s, double rate, const char *end) {
  printf("%-14s %-22s %7.3f s  %8.2e pulses  floor %6.3f s (%.2f ns a pulse)  ratio %5.1f%s", card,
         name, s->seconds, s->pulses, s->pulses / rate, 1e9 / rate, s->seconds * rate / s->pulses,
         end);
}

/* Both schemes in turn, stochastic at a rate; 0: at that of as many pulses. */
static void compare(const mho_registry *r, const mho_context *ctx, const char *card, double rate) {
  char update[128];
  side chopped = open_side(r, ctx, card, "scheme: tiki_taka, variant: chopped");
  if (!(rate > 0)) {
    side probe = open_side(r, ctx, card, "scheme: stochastic, rate: 0.1");
    train(&probe);
    train(&chopped);
    rate = 0.1 * chopped.pulses / probe.pulses;
    close_side(&probe);
  }
  snprintf(update, sizeof update, "scheme: stochastic, rate: %g", rate);
  side stochastic = open_side(r, ctx, card, update);

  for (int i = 0; i < ROUNDS; i++) {
    train(&stochastic);
    train(&chopped);
  }
  double most = pulse_rate(chopped.e) * mho_pool_threads(ctx->pool);
  snprintf(update, sizeof update, "stochastic, rate %.3g", rate);
  print(card, update, &stochastic, most, "\n");
  print(card, "chopped", &chopped, most, "");
  printf("  chopped/stochastic %.2f\n", chopped.seconds / stochastic.seconds);
  fflush(stdout);
  close_side(&stochastic);
  close_side(&chopped);
}

int main(void) {
  static const char *const cards[] = {"gokmen_vlasov", "reram_es"};
  mho_context ctx = {0};
  mho_registry *r = open_bench(&ctx);
  printf("of which the first 500\n");
  for (int i = 0; i < MHO_COUNT(cards); i++) {
    compare(r, &ctx, cards[i], 0);
    compare(r, &ctx, cards[i], 0.1);
  }
  mho_pool_free(ctx.pool);
  mho_registry_free(r);
  return 0;
}
