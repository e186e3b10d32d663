#!/bin/sh
# Makes the video of examples/site out of its large picture: draw-night.sh FILE.webm. Needs ffmpeg, which nothing else here does.
set -eu
cd "$(dirname "$0")"
exec ffmpeg -v error -y -loop 1 -framerate 15 -i site/comet-large.png -t 24 -an \
    -vf "zoompan=z='1.4+0.4*sin(on/120)':x='(iw-iw/zoom)*(0.5+0.5*sin(on/90))':y='(ih-ih/zoom)*on/360':d=1:s=800x450:fps=15" \
    -c:v libvpx-vp9 -b:v 500k -g 30 -row-mt 1 -cpu-used 5 -cues_to_front 1 -pix_fmt yuv420p "$1"
