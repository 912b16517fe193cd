/* onnx_chain.h - an ONNX model as a chain of layers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXCHANGE_ONNX_CHAIN_H
#define MHO_EXCHANGE_ONNX_CHAIN_H

#include "exchange/layer_chain.h"

/** The layers of a model.
 *  @param file  stands for it in messages.
 *  @return MHO_OK; MHO_EDATA for what is no chain of operators that are known; MHO_ENOMEM. */
mho_err mho__chain_of_onnx(const void *bytes, size_t length, const char *file, mho_chain *out,
                           mho_errinfo *ei);

#endif
