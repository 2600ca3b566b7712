#!/bin/sh
# Rebuilds the vendored scripts: each one script that defines one variable, for an engine without node's modules.
# `make vendor` runs it after a version was changed here; it needs node and npm. The results are checked in, and
# manifest.json says what they are.
set -eu
ESBUILD=0.28.2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/entries/*.js "$work"
cd "$work"
npm init --yes >/dev/null
rm -f "$here"/*-*.js "$here"/LICENSE.*
rows=""

bundle() { # name version licence, then options of esbuild
  name=$1 version=$2 licence=$3
  shift 3
  npm install --silent --no-audit --no-fund --ignore-scripts "$name@$version"
  npx esbuild "$name.js" --bundle --minify-syntax --minify-whitespace --format=iife --global-name="$name" --platform=browser \
    --banner:js="/*! $name $version, $licence licence (LICENSE.$name), bundled by rebuild.sh with esbuild $ESBUILD; do not edit */" \
    --legal-comments=none --log-level=warning "$@" --outfile="$here/$name-$version.js"
  cp "node_modules/$name/LICENSE" "$here/LICENSE.$name"
  sum=$(sha256sum "$here/$name-$version.js" | cut -d ' ' -f 1)
  rows="$rows${rows:+,}
  {\"name\": \"$name\", \"version\": \"$version\", \"licence\": \"$licence\", \"file\": \"$name-$version.js\", \"sha256\": \"$sum\"}"
}

npm install --silent --no-audit --no-fund "esbuild@$ESBUILD"
bundle avsc 5.7.9 MIT --alias:buffer=./node.js --alias:util=./node.js --alias:crypto=./node.js
bundle protobufjs 8.8.1 BSD-3-Clause --alias:long=./nothing.js --inject:./textdecoder.js
bundle sucrase 3.35.1 MIT
printf '[%s\n]\n' "$rows" >"$here/manifest.json"
