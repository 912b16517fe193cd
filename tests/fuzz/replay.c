/* replay.c - a harness on the files of its corpus, and on many of them changed: an ordinary test.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>

#include "fuzz.h"

enum { SIZE_MAX_INPUT = 1 << 16, FILES_MAX = 256 };

typedef struct input {
  size_t n;
  uint8_t *bytes; /* [SIZE_MAX_INPUT] */
} input;

static input read_input(const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  input in = {.bytes = malloc(SIZE_MAX_INPUT)};
  FILE *f = fopen(path, "rb");
  must(f && in.bytes, path);
  in.n = fread(in.bytes, 1, SIZE_MAX_INPUT, f);
  fclose(f);
  return in;
}

/* The k-th change of an input: bytes flipped, set, cut out or repeated. */
static size_t change(const input *in, uint32_t k, uint8_t *out) {
  uint32_t u[16];
  size_t n = in->n;
  mho_rng_u32(mho_rng_make(5, MHO_RNG_TEST, 0), k, 0, 16, u);
  memcpy(out, in->bytes, n);

  for (int m = 0; m < 1 + (int)(u[15] % 4) && n > 1; m++) {
    size_t at = u[3 * m] % n, length = mho_min_size(1 + u[3 * m + 1] % 16, n - at);
    switch (u[3 * m + 2] % 4) {
    case 0:
      out[at] ^= (uint8_t)(1u << u[3 * m + 1] % 8);
      break;
    case 1:
      out[at] = (uint8_t)u[3 * m + 1];
      break;
    case 2:
      memmove(out + at, out + at + length, n - at - length);
      n -= length;
      break;
    default:
      if (n + length > SIZE_MAX_INPUT)
        break;
      memmove(out + at + length, out + at, n - at);
      n += length;
    }
  }
  return n;
}

/* The bytes end where their memory does, so that a sanitizer sees what reads on. */
static void run(const uint8_t *bytes, size_t n) {
  uint8_t *exact = malloc(n ? n : 1);
  must(exact, "no memory");
  memcpy(exact, bytes, n);
  LLVMFuzzerTestOneInput(exact, n);
  free(exact);
}

int main(int argc, char **argv) {
  must(argc == 3, "usage: FOLDER CHANGES");
  DIR *d = opendir(argv[1]);
  must(d, "no corpus");

  int changes = atoi(argv[2]), files = 0, runs = 0;
  uint8_t *changed = malloc(SIZE_MAX_INPUT);
  must(changed, "no memory");

  for (struct dirent *e = readdir(d); e; e = readdir(d)) {
    if (*e->d_name == '.')
      continue;
    input in = read_input(argv[1], e->d_name);
    run(in.bytes, in.n);
    for (int k = 0; k < changes; k++)
      run(changed, change(&in, (uint32_t)k, changed));
    free(in.bytes);
    files++;
    runs += 1 + changes;
  }

  closedir(d);
  free(changed);
  must(files > 0, "the corpus is empty");
  printf("%d inputs from %d files\n", runs, files);
  return 0;
}
