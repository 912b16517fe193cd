/* train.c - a program on libmho: a network learns on memristive crossbars, answers inputs of ours,
 * and shows its weights and conductances.
 *
 *   cc train.c -o train $(pkg-config --cflags --libs mho) && ./train
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <mho/mho.h>
#include <stdio.h>
#include <stdlib.h>

static const char config[] = "network: {hidden: [32]}\n"
                             "device: {model: soft_bounds, g_min: 1 uS, g_max: 100 uS}\n"
                             "update: {scheme: accumulate}\n"
                             "train: {epochs: 5, batch: 20}\n";

/* End the program where a call failed: its sentence says why. */
static void check(mho_err err, const mho_errinfo *why) {
  if (!err)
    return;
  fprintf(stderr, "%s: %s\n", mho_err_text(err), why->message);
  exit(1);
}

static bool print_epoch(void *user, const mho_epoch_row *row) {
  printf("epoch %d: loss %.4f, test accuracy %.3f\n", row->epoch, row->loss, row->test_acc);
  return false;
}

int main(void) {
  mho_errinfo why = {0};
  mho_experiment *e;
  mho_trainer *t;
  check(mho_experiment_of_yaml(NULL, config, 0, NULL, &e, &why), &why);
  check(mho_trainer_new(NULL, e, &t, &why), &why);
  check(mho_trainer_train(t, print_epoch, NULL, &why), &why);

  /* What does it make of the first test images? */
  enum { N = 3, FEATURES = 64, CLASSES = 10 };
  const mho_dataset *d = mho_trainer_dataset(t);
  const mho_images *test = mho_dataset_part(d, MHO_PART_TEST);
  float x[N * FEATURES], p[N * CLASSES];
  uint8_t label[N];
  mho_images_batch(d, test, NULL, 0, N, x, label);
  check(mho_trainer_predict(t, N, x, p, &why), &why);
  for (int i = 0; i < N; i++)
    printf("image %d is a %d: probability %.3f\n", i, label[i], p[i * CLASSES + label[i]]);

  /* The weight of every connection's first pair of devices, and their conductances. */
  for (int i = 0; i < mho_trainer_connections(t); i++) {
    mho_connection_info k;
    check(mho_trainer_connection(t, i, &k, &why), &why);
    size_t cells = (size_t)k.rows * (size_t)k.cols;
    float *w = malloc(cells * sizeof *w);
    double *g = malloc(cells * sizeof *g);
    check(mho_trainer_weights(t, k.name, w, &why), &why);
    check(mho_trainer_conductances(t, k.name, 0, g, &why), &why);
    printf("%s: %d x %d, w[0] = %+.3f, G+[0] = %.3g S\n", k.name, k.rows, k.cols, w[0], g[0]);
    free(w);
    free(g);
  }

  mho_trainer_free(t);
  mho_experiment_free(e);
  return 0;
}
