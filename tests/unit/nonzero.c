/* What is not 0 of many numbers, where few are: held against a look at one after another.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/nonzero.h"
#include "test.h"

#include <stdlib.h>

enum { MOST = 333 };

/* Numbers of which about one in `rare` is not 0, of all kinds; zeros of both signs. */
static void draw(int n, int rare, mho_real *v) {
  static const mho_real kinds[] = {1, -1, (mho_real)1e-45, -1e-30F, INFINITY, NAN};
  for (int i = 0; i < n; i++) {
    bool is_zero = rand() % rare;
    v[i] = rand() % 2 ? 0 : (mho_real)-0.0;
    if (!is_zero)
      v[i] = kinds[rand() % MHO_COUNT(kinds)];
  }
}

static void test_ways(void **state) {
  static const int rare[] = {1, 3, 50, 1000};
  mho_real v[MOST];
  srand(1);
  for (int round = 0; round < 4000; round++) {
    int n = rand() % (MOST + 1), found = 0;
    draw(n, rare[round % MHO_COUNT(rare)], v);

    uint64_t known[(MOST + 63) / 64] = {0};
    mho_nonzero way = {.n = n, .v = v}, known_way = {.n = n, .v = NULL, .known = known};
    for (int i = 0; i < n; i++)
      known[i / 64] |= (uint64_t)(v[i] != 0) << i % 64;
    for (int i = 0; i < n; i++)
      if (v[i] != 0) {
        assert_int_equal(mho__next_nonzero(&way), i);
        assert_int_equal(mho__next_nonzero(&known_way), i);
        found++;
      }
    assert_int_equal(mho__next_nonzero(&way), -1);
    assert_int_equal(mho__next_nonzero(&known_way), -1);
    assert_int_equal(mho__nonzero_words(n), (n + 63) / 64);
    assert_int_equal(mho__any_nonzero((size_t)n, v), found > 0);
  }
}

/* Numbers that cannot be other than 0 are 0. */
static void test_blocks(void **state) {
  mho_real v[MHO_NONZERO_BITS];
  for (int round = 0; round < 4000; round++) {
    draw(MHO_NONZERO_BITS, 200, v);
    uint64_t expected = 0;
    for (int i = 0; i < MHO_NONZERO_BITS; i++)
      expected |= (uint64_t)(v[i] != 0) << i;
    assert_true(mho__nonzero_bits(MHO_NONZERO_BITS, v) == expected);
    assert_true(mho__may_be_nonzero(v) || !expected);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ways),
      cmocka_unit_test(test_blocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
