#!/bin/sh
# Rebuilds sucrase.js: Sucrase (MIT) as one script that defines `sucrase`, for an engine without node's modules.
# Run it by hand after changing the versions; it needs node and npm. The result is checked in.
set -eu
SUCRASE=3.35.1
ESBUILD=0.28.2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund "sucrase@$SUCRASE" "esbuild@$ESBUILD"
echo "export { transform } from 'sucrase'" > entry.js
npx esbuild entry.js --bundle --minify-syntax --minify-whitespace --format=iife --global-name=sucrase --platform=browser \
  --banner:js="/*! Sucrase $SUCRASE, MIT licence (LICENSE.sucrase), bundled by rebuild.sh with esbuild $ESBUILD; do not edit */" \
  --outfile="$here/sucrase.js"
cp node_modules/sucrase/LICENSE "$here/LICENSE.sucrase"
