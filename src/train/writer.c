/* writer.c - what an epoch adds to the database, written by a thread of its own beside the
 * training.
 *
 * One update is under way at most: the next waits for it, so memory stays bounded and the order is
 * kept. An error of the database comes out with the next update, or at the end. Between two updates
 * (mho__writer_drain) the store is the caller's alone.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include <string.h>

#include "train/writer.h"

struct writer {
  mho_store *store;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool busy, quit;
  mho_err err;
  mho_errinfo ei;
  /* copies, so that the training may go on changing its own */
  char run[MHO_ID_MAX], ended[32], error[MHO_MESSAGE_MAX];
  mho_store_update u;
  mho_epoch_row epoch;
  mho_layer_row *layers;     /* [u.n_layers], its names point into the network */
  mho_energy_row *energies;  /* [u.n_energies] */
  mho_control_row *controls; /* [u.n_controls], names as above */
  mho_settle_row settle;
  mho_settle_sample *samples; /* [u.n_samples] */
  mho_checkpoint_row checkpoint;
  mho_run_row row;
};

static void release(writer *w) {
  mho_free(w->layers);
  mho_free(w->samples);
  mho_free(w->energies);
  mho_free(w->controls);
  w->controls = NULL;
  w->layers = NULL;
  w->samples = NULL;
  w->energies = NULL;
  mho_blob_free(&w->checkpoint.blob);
}

static void *main_loop(void *arg) {
  writer *w = arg;
  pthread_mutex_lock(&w->lock);

  for (;;) {
    while (!w->busy && !w->quit)
      pthread_cond_wait(&w->changed, &w->lock);
    if (!w->busy)
      break;

    pthread_mutex_unlock(&w->lock);
    mho_errinfo ei = {0};
    mho_err err = mho_store_write(w->store, w->run, &w->u, &ei);
    release(w);
    pthread_mutex_lock(&w->lock);

    if (err && !w->err) {
      w->err = err;
      w->ei = ei;
    }
    w->busy = false;
    pthread_cond_broadcast(&w->changed);
  }
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

mho_err mho__writer_new(mho_store *store, writer **out, mho_errinfo *ei) {
  writer *w = mho_alloc(1, sizeof *w);
  *out = NULL;
  if (!w)
    return mho_fail(ei, MHO_ENOMEM, "no memory to write the run");

  w->store = store;
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->changed, NULL);
  int rc = pthread_create(&w->thread, NULL, main_loop, w);
  if (rc) {
    mho_free(w);
    return mho_fail(ei, MHO_ENOMEM, "cannot start the thread that writes the run: %s",
                    strerror(rc));
  }

  *out = w;
  return MHO_OK;
}

mho_err mho__writer_drain(writer *w, mho_errinfo *ei) {
  pthread_mutex_lock(&w->lock);
  while (w->busy)
    pthread_cond_wait(&w->changed, &w->lock);

  mho_err err = w->err;
  if (err && ei)
    *ei = w->ei;
  pthread_mutex_unlock(&w->lock);
  return err;
}

/* A copy of n items, NULL where there are none to copy or is no memory. */
static void *copy_of(const void *from, int n, size_t size) {
  void *copy = from ? mho_alloc((size_t)n, size) : NULL;
  if (copy)
    memcpy(copy, from, (size_t)n * size);
  return copy;
}

/* Copies of what the update points to. */
static mho_err take(writer *w, const mho_store_update *u, mho_errinfo *ei) {
  w->layers = copy_of(u->layers, u->n_layers, sizeof *w->layers);
  w->samples = copy_of(u->samples, u->n_samples, sizeof *w->samples);
  w->energies = copy_of(u->energies, u->n_energies, sizeof *w->energies);
  w->controls = copy_of(u->controls, u->n_controls, sizeof *w->controls);
  bool has_all = !u->layers == !w->layers && !u->samples == !w->samples &&
                 !u->energies == !w->energies && !u->controls == !w->controls;
  if (!has_all) {
    release(w);
    return mho_fail(ei, MHO_ENOMEM, "no memory to write an epoch");
  }

  if (u->epoch)
    w->epoch = *u->epoch;
  if (u->n_settles)
    w->settle = *u->settles;
  w->checkpoint = u->last ? *u->last : (mho_checkpoint_row){0};
  w->row = *u->run; /* its texts last as long as the run */
  memcpy(w->run, u->run->id, sizeof w->run);

  w->u = *u;
  w->u.epoch = u->epoch ? &w->epoch : NULL;
  w->u.layers = w->layers;
  w->u.samples = w->samples;
  w->u.energies = w->energies;
  w->u.controls = w->controls;
  w->u.settles = u->n_settles ? &w->settle : NULL;
  w->u.last = u->last ? &w->checkpoint : NULL;
  w->u.run = &w->row;
  return MHO_OK;
}

mho_err mho__writer_put(writer *w, const mho_store_update *u, mho_blob *blob, mho_errinfo *ei) {
  mho_err err = mho__writer_drain(w, ei);
  if (!err)
    err = take(w, u, ei);
  if (err)
    return err;

  if (u->last)
    *blob = (mho_blob){0};

  pthread_mutex_lock(&w->lock);
  w->busy = true;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
  return MHO_OK;
}

void mho__writer_free(writer *w) {
  if (!w)
    return;

  pthread_mutex_lock(&w->lock);
  w->quit = true;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
  pthread_join(w->thread, NULL);
  pthread_mutex_destroy(&w->lock);
  pthread_cond_destroy(&w->changed);
  mho_free(w);
}
