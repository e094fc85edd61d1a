/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CONFIG_TREE_H
#define FAIRWAY_CONFIG_TREE_H

#include "controlplane/config/config.h"

/* A YAML document as a tree of nodes that know their place. */

enum tree_type { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_node {
	enum tree_type type;
	struct config_mark mark;
	bool quoted;             /* SCALAR: not a plain one */
	char *text;              /* SCALAR: without NUL inside */
	size_t n_children;       /* LIST: items; MAP: keys and values, in turns */
	struct tree_node *first; /* child */
	struct tree_node *last;
	struct tree_node *next; /* sibling */
};

/* Read exactly one document. A syntax error, or YAML that this configuration doesn't use (anchors,
 * tags, several documents, endless nesting), is added to errs. 0, -EINVAL or -ENOMEM; the tree is
 * the caller's to tree_free(). */
int tree_parse(const char *text, size_t len, struct tree_node **ret_root,
	       struct config_errors *errs) __attribute__((warn_unused_result));
void tree_free(struct tree_node *root);

#endif
