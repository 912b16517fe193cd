/* An epoch of scheme tiki_taka, variant chopped, over one of scheme stochastic, 784-256-128-10 by
 * backpropagation at equal batch, in turn; run by `meson test --benchmark`. 5000 images of MNIST
 * where they are, else 500 random ones.
 *
 * "as many" has stochastic at a rate at which it gives as many pulses, so that the ratio is what
 * transfers and choppers cost; "by default" at its own rate, so that the ratio holds the pulses
 * that the fast array gets beyond that. The floor is the number of pulses over the rate at which a
 * bank of the same device takes pulses on all its cells.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "bench.h"
#include "mho/model/check.h"

enum { ROUNDS = 12, CELLS = 64 * MHO_DEVICE_BLOCK };

#define NET "network: {hidden: [256, 128]}\nrule: bp\ntrain: {batch: 100}\n"

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
  const char *images = has_mnist(r) ? "mnist, train: 5000" : "random, train: 500";
  snprintf(yaml, sizeof yaml,
           NET "dataset: {name: %s, test: 1}\ndevice: {card: %s}\nupdate: {%s}\n", images, card,
           update);
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

/* A rate at which a first epoch of stochastic gives so many pulses, or nearly: trains have an
 * end. */
static double rate_of(const mho_registry *r, const mho_context *ctx, const char *card,
                      double pulses) {
  enum { LOOKS = 4 };
  double rate = 0.1;
  for (int i = 0; i < LOOKS; i++) {
    char update[128];
    snprintf(update, sizeof update, "scheme: stochastic, rate: %g", rate);
    side probe = open_side(r, ctx, card, update);
    train(&probe);
    rate *= fmin(pulses / probe.pulses, 10);
    close_side(&probe);
  }
  return rate;
}

/* Both schemes in turn, stochastic at its own rate, or at that of as many pulses. */
static void compare(const mho_registry *r, const mho_context *ctx, const char *card, bool as_many) {
  char update[128] = "scheme: stochastic";
  side chopped = open_side(r, ctx, card, "scheme: tiki_taka, variant: chopped");
  if (as_many) {
    train(&chopped);
    snprintf(update, sizeof update, "scheme: stochastic, rate: %g",
             rate_of(r, ctx, card, chopped.pulses));
  }
  side stochastic = open_side(r, ctx, card, update);

  for (int i = 0; i < ROUNDS; i++) {
    train(&stochastic);
    train(&chopped);
  }
  double most = pulse_rate(chopped.e) * mho_pool_threads(ctx->pool);
  print(card, as_many ? "stochastic, as many" : "stochastic by default", &stochastic, most, "\n");
  print(card, "chopped", &chopped, most, "");
  printf("  chopped/stochastic %.2f\n", chopped.seconds / stochastic.seconds);
  fflush(stdout);
  close_side(&stochastic);
  close_side(&chopped);
}

int main(void) {
  static const char *const cards[] = {"gokmen_vlasov", "ecram", "reram_es"};
  mho_context ctx = {0};
  mho_registry *r = open_bench(&ctx);
  printf("of which the first %s\n", has_mnist(r) ? "5000, of MNIST" : "500");
  for (int i = 0; i < MHO_COUNT(cards); i++) {
    compare(r, &ctx, cards[i], true);
    compare(r, &ctx, cards[i], false);
  }
  mho_pool_free(ctx.pool);
  mho_registry_free(r);
  return 0;
}
