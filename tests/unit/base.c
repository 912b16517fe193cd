/* Errors, parameters with units, random numbers, threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/rng.h"
#include <sched.h>

#include "mho/base.h"
#include "mho/model/entry.h"
#include "test.h"

struct thing {
  double g, ratio;
  int64_t n;
  bool on;
  int law;
  char path[MHO_TEXT_MAX];
  mho_ints hidden;
};
static const mho_param table[] = {
    MHO_P_REAL(struct thing, g, "g", "S", 1e-6, 1e-9, 1e-3, "a conductance"),
    MHO_P_REAL(struct thing, ratio, "ratio", "", .5, 0, 1, "a number"),
    MHO_P_INT(struct thing, n, "n", 3, 1, 10, "a count"),
    MHO_P_BOOL(struct thing, on, "on", 1, "a switch"),
    MHO_P_CHOICE(struct thing, law, "law", "constant|proportional", 1, "a word"),
    MHO_P_TEXT(struct thing, path, "path", "", "a text"),
    MHO_P_INTS(struct thing, hidden, "hidden", "64 32", 1, 4096, "a list"),
};
static const mho_params params = MHO_PARAMS(struct thing, table);

static void test_defaults_and_round_trip(void **state) {
  struct thing t, u;
  mho_errinfo ei;
  mho_params_init(params, &t);
  assert_int_equal(t.hidden.n, 2);
  assert_int_equal(t.hidden.v[1], 32);
  t.g = 1.0 / 3 * 1e-6;
  t.ratio = 0.1 + 0.2;
  t.law = 0;
  t.on = false;
  mho_params_init(params, &u);
  for (int bare = 0; bare < 2; bare++)
    for (int i = 0; i < params.n; i++) {
      char text[256];
      mho_param_format(&table[i], &t, bare, text, sizeof text);
      OK(mho_param_parse(&table[i], text, bare, &u, &ei));
    }
  assert_memory_equal(&t, &u, sizeof t);
  assert_false(mho_param_is_default(&table[0], &t));
  assert_true(mho_param_is_default(&table[6], &t));
}

static void test_quantities(void **state) {
  static const struct {
    const char *text, *unit;
    double v;
  } good[] = {{"10 kohm", "ohm", 1e4},
              {"50ns", "s", 5e-8},
              {"25 uS", "S", 2.5e-5},
              {"1.5 MΩ", "ohm", 1.5e6},
              {"2 Ω", "ohm", 2},
              {"1d", "s", 86400},
              {"0", "V", 0},
              {"35 %", "", .35},
              {"3.0769 nS", "S", 3.0769e-9},
              {"-0.5 V", "V", -.5},
              {"100 µs", "s", 1e-4}};
  static const char *bad[][2] = {{"10", "ohm"}, {"10 S", "ohm"}, {"x", ""},
                                 {"", "S"},     {"1e999", ""},   {"nan", ""},
                                 {"5 kk", "S"}, {"5 V", ""},     {"inf", "S"}};
  mho_errinfo ei;
  double v;
  for (int i = 0; i < MHO_COUNT(good); i++) {
    OK(mho_quantity_parse(good[i].text, good[i].unit, false, &v, &ei));
    NEAR(v, good[i].v, 1e-15, 0);
  }

  for (int i = 0; i < MHO_COUNT(bad); i++)
    assert_int_equal(mho_quantity_parse(bad[i][0], bad[i][1], false, &v, &ei), MHO_ECONFIG);
}

static void test_refusals(void **state) {
  static const char *bad[][2] = {{"g", "5 S"},      {"g", "1e-6"},     {"n", "2.5"},
                                 {"n", "11"},       {"on", "maybe"},   {"law", "cons"},
                                 {"hidden", "3 x"}, {"hidden", "[0]"}, {"ratio", "1.01"}};
  struct thing t, before;
  mho_params_init(params, &t);
  before = t;
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    mho_errinfo ei = {0};
    assert_int_equal(mho_param_parse(mho_params_find(params, bad[i][0]), bad[i][1], false, &t, &ei),
                     MHO_ECONFIG);
    assert_non_null(strstr(ei.message, i == 6 ? "x" : i == 7 ? "0" : bad[i][1]));
  }
  assert_memory_equal(&t, &before, sizeof t);
}

static void test_distance(void **state) {
  assert_int_equal(mho_text_distance("tanh", "tanh"), 0);
  assert_int_equal(mho_text_distance("hiden", "hidden"), 1);
  assert_int_equal(mho_text_distance("", "abc"), 3);
  assert_int_equal(mho_text_distance("kitten", "sitting"), 3);
}

/* Philox4x32-10 known answer of Random123's kat_vectors: all-zero counter and key. */
static void test_philox(void **state) {
  uint32_t w[4];
  mho_rng_u32((mho_rng){0, 0}, 0, 0, 4, w);
  const uint32_t expected[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  assert_memory_equal(w, expected, sizeof w);
}

static void test_fills_do_not_depend_on_the_cut(void **state) {
  enum { N = 1000 };
  float whole[N], part[N];
  mho_rng r = mho_rng_make(7, MHO_RNG_TEST, 1);
  mho_rng_normal(r, 3, 5, N, whole);
  for (size_t n = 1; n < 400; n += 37) {
    for (size_t i = 0; i < N; i += n)
      mho_rng_normal(r, 3, 5 + i, i + n < N ? n : N - i, part + i);
    assert_memory_equal(whole, part, sizeof whole);
  }
}

static void test_moments(void **state) {
  enum { N = 1 << 18 };
  float *z = malloc(N * sizeof *z);
  mho_rng_normal(mho_rng_make(1, MHO_RNG_TEST, 2), 0, 0, N, z);
  double m[5] = {0};
  for (int i = 0; i < N; i++)
    for (int k = 1; k <= 4; k++)
      m[k] += pow((double)z[i], k) / N;
  NEAR(m[1], 0, 0, 5 / sqrt(N)); /* five standard errors each */
  NEAR(m[2], 1, 0, 5 * sqrt(2.0 / N));
  NEAR(m[3], 0, 0, 5 * sqrt(15.0 / N));
  NEAR(m[4], 3, 0, 5 * sqrt(96.0 / N));
  mho_rng_uniform(mho_rng_make(1, MHO_RNG_TEST, 3), 0, 0, N, z);
  for (int i = 0; i < N; i++)
    assert_true(z[i] > 0 && z[i] < 1);
  int p[257], seen[257] = {0};
  mho_rng_permutation(mho_rng_make(1, MHO_RNG_TEST, 4), 9, 257, p);
  for (int i = 0; i < 257; i++)
    seen[p[i]]++;
  for (int i = 0; i < 257; i++)
    assert_int_equal(seen[i], 1);
  free(z);
}

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* Normals against the whole law (Kolmogorov-Smirnov), their tails, and one another: neighbours
 * share a radius, so their squares too are compared. */
static void test_normal_law(void **state) {
  enum { N = 1 << 20 };
  float *z = malloc(N * sizeof *z);
  mho_rng rng = mho_rng_make(11, MHO_RNG_TEST, 5);
  mho_rng_normal(rng, 1, 0, N, z);
  for (int lag = 1; lag <= 5; lag++) {
    double products = 0, squares = 0;
    for (int i = 0; i + lag < N; i++) {
      double a = (double)z[i], b = (double)z[i + lag];
      products += a * b / N;
      squares += (a * a - 1) * (b * b - 1) / N;
    }
    NEAR(products, 0, 0, 5 / sqrt(N));
    NEAR(squares, 0, 0, 5 * 2 / sqrt(N));
  }

  qsort(z, N, sizeof *z, ascending);
  double farthest = 0;
  for (int i = 0; i < N; i++) {
    double p = 0.5 * erfc(-(double)z[i] / sqrt(2));
    farthest = fmax(farthest, fmax(p - (double)i / N, (i + 1.0) / N - p));
  }

  assert_true(farthest * sqrt(N) < 1.95); /* passes 999 times in 1000 */
  for (int side = -1; side <= 1; side += 2)
    for (int k = 2; k <= 4; k++) {
      double beyond = 0, want = 0.5 * erfc(k / sqrt(2)) * N;
      for (int i = 0; i < N; i++)
        beyond += side * (double)z[i] > k;
      NEAR(beyond, want, 0, 5 * sqrt(want));
    }

  free(z);
}

/* A cell's normal is the same in a long fill, in a short one and among scattered cells. */
static void test_scattered_normals(void **state) {
  enum { N = 3000, SOME = 700 };
  float whole[N], some[SOME];
  uint32_t cell[SOME];
  mho_rng rng = mho_rng_make(12, MHO_RNG_TEST, 6);
  mho_rng_normal(rng, 9, 0, N, whole);
  mho_rng_u32(rng, 10, 0, SOME, cell);
  for (int i = 0; i < SOME; i++)
    cell[i] %= N;
  for (size_t n = 1; n <= SOME; n += 233) {
    mho_rng_normal_at(rng, 9, n, cell, some);
    for (size_t i = 0; i < n; i++)
      assert_true(some[i] == whole[cell[i]]);
  }
}

static void count(void *arg, int index, int thread) {
  ((int *)arg)[index] += index + 1;
}

/* A block of words of Philox4x32 after seven rounds, by 64-bit arithmetic of its source. */
static void seven_rounds(mho_rng rng, uint64_t step, uint32_t cell, uint32_t c[4]) {
  uint32_t k0 = (uint32_t)rng.seed, k1 = (uint32_t)(rng.seed >> 32);
  c[0] = cell;
  c[1] = (uint32_t)step;
  c[2] = (uint32_t)(step >> 32);
  c[3] = rng.stream;
  for (int round = 0; round < 7; round++) {
    uint64_t p0 = (uint64_t)0xd2511f53 * c[0], p1 = (uint64_t)0xcd9e8d57 * c[2];
    uint32_t next[] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                       (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
    memcpy(c, next, sizeof next);
    k0 += 0x9e3779b9;
    k1 += 0xbb67ae85;
  }
}

/* Four deviates of a cell are those of a block of words after seven rounds, which Box and Muller's
 * formula makes of them, however many cells there are. */
static void test_four_normals(void **state) {
  static float four[MHO_RNG_FOUR][MHO_RNG_CELLS];
  static const int sizes[] = {1, 15, 16, 65, MHO_RNG_CELLS};
  mho_rng rng = mho_rng_make(11, MHO_RNG_TEST, 3);
  uint32_t cell[MHO_RNG_CELLS];
  for (uint32_t i = 0; i < MHO_RNG_CELLS; i++)
    cell[i] = i * 2654435761u >> 3;

  for (int k = 0; k < MHO_COUNT(sizes); k++) {
    mho__rng_normal_four(rng, 9, sizes[k], cell, four);
    for (int i = 0; i < sizes[k]; i++) {
      uint32_t word[4];
      seven_rounds(rng, 9, cell[i], word);
      for (int j = 0; j < MHO_RNG_FOUR; j += 2) {
        double radius = sqrt(-2 * log(((word[j] >> 1) + 0.5) * 0x1p-31));
        double angle = (double)(int32_t)word[j + 1] * 0x1p-31 * acos(-1);
        NEAR(four[j][i], radius * cos(angle), 0, 4e-6 * radius);
        NEAR(four[j + 1][i], radius * sin(angle), 0, 4e-6 * radius);
      }
    }
  }
}

/* Their law: products and products of squares of the four of a cell, of neighbours, and of one step
 * and the next, and their tails. 5 standard deviations are missed once in two million times. */
static void test_law_of_four(void **state) {
  enum { GROUPS = 1 << 10, N = GROUPS * MHO_RNG_CELLS };
  static float now[MHO_RNG_FOUR][MHO_RNG_CELLS], then[MHO_RNG_FOUR][MHO_RNG_CELLS];
  uint32_t cell[MHO_RNG_CELLS];
  mho_rng rng = mho_rng_make(11, MHO_RNG_TEST, 5);
  enum { PAIRS = 8 };
  static const int with[PAIRS][3] = {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {1, 2, 0},
                                     {1, 3, 0}, {2, 3, 0}, {0, 0, 1}, {3, 0, 2}};
  double products[PAIRS] = {0}, squares[PAIRS] = {0}, beyond[2][5] = {{0}}, sum = 0, power = 0;

  for (uint32_t group = 0; group < GROUPS; group++) {
    for (uint32_t i = 0; i < MHO_RNG_CELLS; i++)
      cell[i] = group * MHO_RNG_CELLS + i;
    mho__rng_normal_four(rng, 1, MHO_RNG_CELLS, cell, now);
    mho__rng_normal_four(rng, 2, MHO_RNG_CELLS, cell, then);
    for (int i = 0; i < MHO_RNG_CELLS; i++) {
      for (int k = 0; k < PAIRS; k++) {
        int other = with[k][2] == 1 ? i ^ 1 : i;
        double a = (double)now[with[k][0]][i];
        double b = (double)(with[k][2] == 2 ? then : now)[with[k][1]][other];
        products[k] += a * b / N;
        squares[k] += (a * a - 1) * (b * b - 1) / N;
      }
      for (int j = 0; j < MHO_RNG_FOUR; j++) {
        double z = (double)now[j][i];
        sum += z;
        power += z * z;
        for (int k = 1; k < 5; k++)
          beyond[z > 0][k] += fabs(z) > k;
      }
    }
  }

  double n = (double)MHO_RNG_FOUR * N;
  NEAR(sum / n, 0, 0, 5 / sqrt(n));
  NEAR(power / n, 1, 0, 5 * sqrt(2 / n));
  for (int k = 0; k < PAIRS; k++) {
    double each = with[k][2] == 1 ? sqrt(2) : 1; /* neighbours are taken twice */
    NEAR(products[k], 0, 0, 5 * each / sqrt(N));
    NEAR(squares[k], 0, 0, 5 * 2 * each / sqrt(N));
  }
  for (int side = 0; side < 2; side++)
    for (int k = 1; k < 5; k++) {
      double want = 0.5 * erfc(k / sqrt(2)) * n;
      NEAR(beyond[side][k], want, 0, 5 * sqrt(want));
    }
}

static void test_pool(void **state) {
  mho_errinfo ei;
  for (int threads = 1; threads <= 4; threads++) {
    mho_pool *pool;
    OK(mho_pool_new(threads, &pool, &ei));
    assert_int_equal(mho_pool_threads(pool), threads);
    int hits[100] = {0};
    for (int round = 0; round < 300; round++)
      mho_pool_run(pool, round % 100, count, hits);
    for (int i = 0; i < 100; i++)
      assert_int_equal(hits[i], (i + 1) * 3 * (99 - i));
    mho_pool_free(pool);
  }
  mho_pool *none;
  assert_int_equal(mho_pool_new(-1, &none, &ei), MHO_EINVAL);
}

/* As taskset does: a process on one processor starts no second thread. */
static void test_processors(void **state) {
  mho_errinfo ei;
  cpu_set_t all, one;
  assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
  assert_int_equal(mho_processors(), CPU_COUNT(&all));
  size_t first = 0;
  while (!CPU_ISSET(first, &all))
    first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  mho_pool *pool;
  OK(mho_pool_new(0, &pool, &ei));
  assert_int_equal(mho_pool_threads(pool), 1);
  mho_pool_free(pool);
  assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults_and_round_trip),
      cmocka_unit_test(test_quantities),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_distance),
      cmocka_unit_test(test_philox),
      cmocka_unit_test(test_fills_do_not_depend_on_the_cut),
      cmocka_unit_test(test_moments),
      cmocka_unit_test(test_normal_law),
      cmocka_unit_test(test_scattered_normals),
      cmocka_unit_test(test_four_normals),
      cmocka_unit_test(test_law_of_four),
      cmocka_unit_test(test_pool),
      cmocka_unit_test(test_processors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
