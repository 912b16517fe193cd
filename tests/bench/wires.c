/* Arrays with wire resistance: seconds of a solve, of 32 inputs and of the direct method on the
 * same system, and the memory of a solve. Devices log-uniform 1e4 to 1e6 ohm, wires of 1 ohm, all
 * processors. `wires N...` takes sizes (default 128 256 512 1024), `wires direct N...` adds the
 * direct method at any size.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "mho/model/num.h"
#include "mho/wire.h"

/* Seconds of badcrossbar 1.1 for one input, measured on two cores of another machine
 * (README.md). */
static const struct {
  int n;
  double one;
} peer[] = {{128, 0.26}, {256, 2.4}, {512, 9.8}, {1024, 73}};

static void die(const mho_errinfo *ei) {
  fprintf(stderr, "%s\n", ei->message);
  exit(1);
}

static double solve(const double *g, const double *v, int n, int inputs, mho_wire_method method,
                    mho_pool *pool, double *i_out, mho_wire_stats *stats) {
  mho_errinfo ei = {0};
  double best = INFINITY;
  for (int k = 0; k < (method == MHO_WIRE_DIRECT ? 1 : 3); k++) {
    mho_wire *w;
    double start = mho_seconds();
    if (mho_wire_new(
            &(mho_wire_options){
                .rows = n, .cols = n, .r_word = 1, .r_bit = 1, .method = method, .pool = pool},
            &w, &ei) ||
        mho_wire_set(w, g, &ei) ||
        mho_wire_solve(w, &(mho_wire_read){.n = inputs, .v_word = v, .i_bit = i_out}, stats, &ei))
      die(&ei);
    best = fmin(best, mho_seconds() - start);
    mho_wire_free(w);
  }
  return best;
}

static void time_effective(int n, double r, mho_pool *pool) {
  mho_errinfo ei = {0};
  size_t cells = (size_t)n * (size_t)n;
  double *g = mho_alloc(cells, sizeof *g), *exact = mho_alloc(cells, sizeof *g),
         *eff = mho_alloc(cells, sizeof *g);
  float *u = mho_alloc(cells, sizeof *u);
  if (!g || !exact || !eff || !u)
    exit(1);
  mho_rng_uniform(mho_rng_make(2, MHO_RNG_TEST, 0), 0, 0, cells, u);
  for (size_t k = 0; k < cells; k++)
    g[k] = 1e-6 + 99e-6 * (double)u[k]; /* the devices of a network: even from 1 to 100 uS */
  mho_wire_options o = {
      .rows = n, .cols = n, .r_word = r, .r_bit = r, .tolerance = 1e-12, .pool = pool};
  if (mho_wire_effective(&o, g, exact, &ei))
    die(&ei);
  printf("%4d x %-4d %4g ohm, 1..100 uS:", n, n, r);
  for (int t = 0; t < 2; t++) {
    double best = INFINITY, differ = 0, most = 0;
    o.tolerance = t ? 1e-4 : 1e-9;
    for (int k = 0; k < 5; k++) {
      double start = mho_seconds();
      if (mho_wire_effective(&o, g, eff, &ei))
        die(&ei);
      best = fmin(best, mho_seconds() - start);
    }
    for (size_t k = 0; k < cells; k++) {
      differ = fmax(differ, fabs(eff[k] - exact[k]));
      most = fmax(most, fabs(exact[k]));
    }
    printf("   %.0e: %8.2f ms (%.1e)", o.tolerance, 1e3 * best, differ / most);
  }

  putchar('\n');
  mho_free(g);
  mho_free(exact);
  mho_free(eff);
  mho_free(u);
}

int main(int argc, char **argv) {
  mho_errinfo ei = {0};
  mho_pool *pool;
  bool always = argc > 1 && !strcmp(argv[1], "direct");
  int sizes[16] = {128, 256, 512, 1024}, n_sizes = 4;
  if (argc > 1 + always)
    for (n_sizes = 0; n_sizes < 16 && 1 + always + n_sizes < argc; n_sizes++)
      sizes[n_sizes] = atoi(argv[1 + always + n_sizes]);
  mho_blas_init();
  if (mho_pool_new(0, &pool, &ei))
    die(&ei);
  printf("%d threads; best of 3; devices log-uniform 1e4..1e6 ohm, wires 1 ohm\n",
         mho_pool_threads(pool));
  printf("%6s %12s %6s %9s %9s %14s %12s %14s %10s\n", "n", "1 input, ms", "its", "residual",
         "peer/mho", "32 inputs, ms", "direct, ms", "direct/mho", "differ");
  for (int s = 0; s < n_sizes; s++) {
    int n = sizes[s];
    size_t cells = (size_t)n * (size_t)n;
    double *g = mho_alloc(cells, sizeof *g), *v = mho_alloc(32 * (size_t)n, sizeof *v);
    double *i1 = mho_alloc(32 * (size_t)n, sizeof *i1), *i2 = mho_alloc((size_t)n, sizeof *i2);
    float *u = mho_alloc(cells + 32 * (size_t)n, sizeof *u);
    if (!g || !v || !i1 || !i2 || !u)
      return 1;
    mho_rng_uniform(mho_rng_make(1, MHO_RNG_TEST, 0), 0, 0, cells + 32 * (size_t)n, u);
    for (size_t k = 0; k < cells; k++)
      g[k] = 1e-4 * pow(0.01, (double)u[k]);
    for (size_t k = 0; k < 32 * (size_t)n; k++)
      v[k] = (double)u[cells + k];
    mho_free(u);
    mho_wire_stats st, sd;
    double one = solve(g, v, n, 1, MHO_WIRE_ITERATIVE, pool, i1, &st), times = (double)NAN;
    for (int k = 0; k < MHO_COUNT(peer); k++)
      if (peer[k].n == n)
        times = peer[k].one / one;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%6d %12.2f %6d %9.1e %9.0f", n, 1e3 * one, st.iterations, st.residual, times);
    fflush(stdout);
    double many = n <= 2048 ? solve(g, v, n, 32, MHO_WIRE_ITERATIVE, pool, i1, &st) : (double)NAN;
    printf(" %14.1f", 1e3 * many);
    fflush(stdout);
    if (n <= 512 || always) {
      double direct = solve(g, v, n, 1, MHO_WIRE_DIRECT, pool, i2, &sd), most = 0, differ = 0;
      for (int j = 0; j < n; j++) {
        most = fmax(most, fabs(i2[j]));
        differ = fmax(differ, fabs(i2[j] - i1[j]));
      }
      printf(" %12.1f %14.0f %10.1e", 1e3 * direct, direct / one, differ / most);
    }
    printf("   (%ld MB at one input)\n", usage.ru_maxrss / 1024);
    mho_free(g);
    mho_free(v);
    mho_free(i1);
    mho_free(i2);
  }

  printf("\neffective matrix of a tile, ms, and its largest error against the one at 1e-12, of the "
         "largest entry\n");
  for (int n = 64; n <= 256; n *= 2)
    for (int r = 1; r <= 10; r *= 10)
      time_effective(n, r, pool);
  mho_pool_free(pool);
  return 0;
}
