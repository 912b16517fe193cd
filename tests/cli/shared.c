/* A program on the shared library, for library.py: trains a config, and leaves what came of it.
 *
 *   shared CONFIG.yaml FOLDER THREADS
 *
 * FOLDER/epochs has a line an epoch, FOLDER/checkpoint the bytes of the last one, FOLDER/answers
 * what the network answers the first test images, FOLDER/NAME.w the weights of each connection.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <mho/mho.h>
#include <stdio.h>
#include <stdlib.h>

enum { IMAGES = 20 };

static const char *folder;

static void check(mho_err err, const mho_errinfo *why) {
  if (!err)
    return;
  fprintf(stderr, "%s: %s\n", mho_err_text(err), why->message);
  exit(mho_err_is_input(err) ? 2 : 1);
}

static FILE *open_file(const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "w");
  if (!f) {
    perror(path);
    exit(1);
  }
  return f;
}

static void write_file(const char *name, const void *data, size_t size) {
  FILE *f = open_file(name);
  fwrite(data, 1, size, f);
  fclose(f);
}

static bool note_epoch(void *user, const mho_epoch_row *row) {
  fprintf(user, "%d %.17g %.17g %.17g %.17g\n", row->epoch, row->loss, row->train_acc,
          row->test_acc, row->pulses);
  return false;
}

static void write_weights(const mho_trainer *t) {
  mho_errinfo why;
  for (int i = 0; i < mho_trainer_connections(t); i++) {
    char name[64];
    mho_connection_info k;
    check(mho_trainer_connection(t, i, &k, &why), &why);
    size_t size = (size_t)k.rows * (size_t)k.cols * sizeof(mho_real);
    mho_real *w = malloc(size);
    check(mho_trainer_weights(t, k.name, w, &why), &why);
    snprintf(name, sizeof name, "%s.w", k.name);
    write_file(name, w, size);
    free(w);
  }
}

static void write_answers(mho_trainer *t) {
  mho_errinfo why;
  const mho_dataset *d = mho_trainer_dataset(t);
  int features, outputs;
  mho_dataset_sizes(d, &features, &outputs);
  size_t answers = IMAGES * (size_t)outputs;
  mho_real *x = malloc(IMAGES * (size_t)features * sizeof *x), *y = malloc(answers * sizeof *y);
  mho_images_batch(d, mho_dataset_part(d, MHO_PART_TEST), NULL, 0, IMAGES, x, NULL);
  check(mho_trainer_predict(t, IMAGES, x, y, &why), &why);
  write_file("answers", y, answers * sizeof *y);
  free(x);
  free(y);
}

int main(int argc, char **argv) {
  mho_errinfo why = {0};
  mho_context ctx = {0};
  mho_config *c;
  mho_registry *r;
  mho_experiment *e;
  mho_trainer *t;
  mho_checkpoint_row last;
  if (argc != 4)
    return 2;
  folder = argv[2];

  check(mho_pool_new(atoi(argv[3]), &ctx.pool, &why), &why);
  check(mho_registry_new(&r, &why), &why);
  check(mho_config_load(argv[1], 0, NULL, &c, &why), &why);
  check(mho_experiment_new(r, c, false, &e, &why), &why);
  check(mho_trainer_new(&ctx, e, &t, &why), &why);

  FILE *epochs = open_file("epochs");
  check(mho_trainer_train(t, note_epoch, epochs, &why), &why);
  fclose(epochs);
  check(mho_trainer_save(t, &last, &why), &why);
  write_file("checkpoint", last.blob.data, last.blob.size);
  write_weights(t);
  write_answers(t);

  mho_blob_free(&last.blob);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_config_free(c);
  mho_registry_free(r);
  mho_pool_free(ctx.pool);
  return 0;
}
