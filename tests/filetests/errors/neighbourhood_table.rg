; test error

graph g {
  %x = input : f32[1, 4, 6, 6]
  %t = weight : f32[3, 2]
  %y = neighbourhood_attention %x, %x, %x, %t, %t { heads = 2, size = 3, scale = 1.0, border = zero }
  return %y
}

; expect error
;   error: neighbourhood_attention has the table f32[3, 2]
;    --> errors/neighbourhood_table.rg:6:8
;     |
;   6 |   %y = neighbourhood_attention %x, %x, %x, %t, %t { heads = 2, size = 3, scale = 1.0, border = zero }
;     |        ^^^^^^^^^^^^^^^^^^^^^^^^--^^--^^--^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |        |                       |   |   |
;     |        |                       |   |   this is f32[1, 4, 6, 6]
;     |        |                       |   this is f32[1, 4, 6, 6]
;     |        |                       this is f32[1, 4, 6, 6]
;     |        expected f32[3, 1]
