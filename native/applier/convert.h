// Between our types and the ZooKeeper C client's.
#ifndef ZS_CONVERT_H
#define ZS_CONVERT_H

#include <zookeeper/zookeeper.h>

#include "zs_target.h"

// Steps as the client library wants them; borrows everything that the steps point to.
struct zs_converted {
    zoo_op_t *ops;
    struct ACL_vector *vectors; // one per step; empty for those without ACLs
    struct ACL *acls;
};
// `owner`: of zs_convert_owner; borrowed. `stat`: where the answers to all SETs go, one after the other. False: out
// of memory.
bool zs_convert_steps(const struct zs_step *steps, uint32_t count, const char *owner, struct Stat *stat,
                      struct zs_converted *out);
void zs_converted_free(struct zs_converted *converted);

// The id by which a server knows who logs in with these credentials; "": that cannot be said.
//
// In an ACL the scheme `auth` means whatever the session has authenticated as, and the server puts in its place all
// ids that the session has. A super user has one that no provider is for, and the server logs an error each time. So
// we put the id there ourselves.
void zs_convert_owner(const struct zs_credentials *credentials, char out[static ZS_OWNER_BYTES]);

enum zs_outcome zs_convert_rc(int rc);

// Copies an answer into a request; false: out of memory.
bool zs_answer_data(struct zs_request *request, const char *value, int len);
bool zs_answer_acls(struct zs_request *request, const struct ACL_vector *acls);
bool zs_answer_names(struct zs_request *request, const struct String_vector *names);
void zs_answer_stat(struct zs_request *request, const struct Stat *stat);
// The first op that the server itself refused; those before it were rolled back, those behind it not tried.
uint32_t zs_answer_failed_step(const struct zs_request *request);

#endif
