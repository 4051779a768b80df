Creator "Topology Zoo Toolset"
graph [
  directed 0
  node [ id 0 label "Oslo" Country "Norway" Longitude 10.75 Latitude 59.91 ]
  node [ id 1 label "None" hyperedge 1 ]
  node [ id 2 label "None" hyperedge 1 ]
  node [ id 5 label "Troms&#248;" Country "Norway" ]
  edge [ source 0 target 1 LinkLabel "1 Gbps" ]
  edge [ source 1 target 2 ]
  edge [ source 2 target 5 ]
  edge [ source 5 target 0 ]
]
