/* network_file.h - the file of a network that another program has trained, as a config and as
 * matrices of a network of mho.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_NETWORK_FILE_H
#define MHO_TRAIN_NETWORK_FILE_H

#include "exchange/layer_chain.h"
#include "train/weight_folder.h"

struct mho_network_file {
  char path[MHO_TEXT_MAX];
  mho_chain chain;
  int n_scales; /**< numbers of mean and spread that are a part of its first layer; 0: none */
};

/** Set what the file says of the network, and the rule bp where neither config says a rule: the
 *  network passes forward.
 *  @param base   gets the keys that neither has.
 *  @param asked  nullable: what comes on top.
 *  @return MHO_OK; MHO_ECONFIG where the file does not say what the configs leave out; MHO_EDATA
 *          for a network that mho has not; MHO_ENOMEM. */
mho_err mho__network_file_config(const mho_network_file *f, mho_config *base,
                                 const mho_config *asked, mho_errinfo *ei);
/** Whether a trainer's network is that of the file, layer by layer. @return MHO_OK; MHO_ECONFIG
 *  with the key. */
mho_err mho__network_file_fits(const mho_network_file *f, const mho_trainer *t, mho_errinfo *ei);
/** The weights of trained connection c, of a network that fits. MHO_ENOMEM. */
mho_err mho__network_file_matrices(const mho_network_file *f, const mho_network *net, int c,
                                   mho_matrices *m, mho_errinfo *ei);

/** What the activities that a connection reads are multiplied with beside its weights. */
static inline double mho__network_file_scale(const mho_network *net, const mho_connection *k) {
  return (double)net->link[net->layer[k->to].forward].scale;
}
/** Where the weights of a chain lie in a connection's crossbar: its row for input i (in the order
 * of a file, [in x kernel x kernel]) of an output, whose column it is.
 *  @param positions  of a dense layer behind an image: height times width of what is read. */
size_t mho__network_file_row(const mho_connection *k, int i, int channels, int positions);
/** Channels that a dense connection reads side by side, and how many positions of them: 1 and the
 * inputs where they are no image, or planar. */
void mho__network_file_source(const mho_network *net, const mho_connection *k, int *channels,
                              int *positions);

#endif
