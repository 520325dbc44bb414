#!/bin/sh
# The users of one realm, made of users.acl: their keys and channels are those of that realm and no other.
#
#   deploy/valkey/of_realm.sh eu <deploy/valkey/users.acl >>/etc/valkey/users.acl
set -eu
realm=$1
end='([ )]|$)'
grep -E '^user (matchkeeper|gameserver) ' | sed -E \
    -e "s/(matchkeeper|gameserver)/\1-$realm/g" \
    -e "s/~match:\*/~match:* ~match:requests/" \
    -e "s/~(match:requests|[a-z]+)$end/~\1:{$realm}\2/g" \
    -e "s/~([a-z]+):(\{\*\}(:\*)?|\*)$end/~\1:{$realm}:*\4/g" \
    -e "s/&([^ )]+)/\&\1:{$realm}/g"
