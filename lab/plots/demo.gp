# Visitors that wait, second by second. Given: http, throng (files of "second visitors"), rate; terminal and output.
set title sprintf("128 KB from a line of 800 kbit/s, %s visitors a second: who waits", rate)
set xlabel "seconds"
set ylabel "visitors waiting"
set key left top
set yrange [0:*]
plot http using 1:2 with lines linewidth 2 title "plain HTTP", throng using 1:2 with lines linewidth 2 title "Throng"
