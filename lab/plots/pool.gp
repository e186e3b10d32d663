# Mean time to completion over the rate of arrivals. Given: data (files DIR/lab, /sim, /paper, /http: rate mean least most
# p95); terminal and output.
set title "128 KB, 800 kbit/s everywhere, 60 ms mean round trip"
set xlabel "arrivals a second"
set ylabel "seconds to completion"
set logscale x 2
set logscale y
set xrange [0.8:40]
set yrange [1:100]
set ytics (1, 2, 3, 5, 10, 20, 50, 100)
set grid ytics
set key left top
plot data."/http" using 1:2 with linespoints linewidth 2 title "plain HTTP, of those served (most were not)", \
     data."/paper" using 1:2 with linespoints linewidth 2 title "profile paper, lab", \
     data."/lab" using 1:5 with linespoints dashtype 2 title "Throng, lab, p95", \
     data."/lab" using 1:2:3:4 with yerrorlines linewidth 2 title "Throng, lab, mean (range of seeds)", \
     data."/sim" using 1:2 with linespoints dashtype 3 linewidth 2 title "Throng, simulator, mean"
