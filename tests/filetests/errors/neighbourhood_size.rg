; test error

graph g {
  %x = input : f32[1, 4, 6, 6]
  %y = neighbourhood_attention %x, %x, %x { heads = 2, size = 4, scale = 1.0, border = zero }
  return %y
}

; expect error
;   error: neighbourhood_attention has size 4
;    --> errors/neighbourhood_size.rg:5:8
;     |
;   5 |   %y = neighbourhood_attention %x, %x, %x { heads = 2, size = 4, scale = 1.0, border = zero }
;     |        ^^^^^^^^^^^^^^^^^^^^^^^^--^^--^^--^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |        |                       |   |   |
;     |        |                       |   |   this is f32[1, 4, 6, 6]
;     |        |                       |   this is f32[1, 4, 6, 6]
;     |        |                       this is f32[1, 4, 6, 6]
;     |        expected an odd number
