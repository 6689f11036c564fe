; test error

graph g {
  %x = input : f32[1, 4, 6, 6]
  %y = neighbourhood_attention %x, %x, %x { heads = 2, size = 3, scale = 1.0, border = wrap }
  return %y
}

; expect error
;   error: `wrap` is not a border
;    --> errors/neighbourhood_border.rg:5:88
;     |
;   5 |   %y = neighbourhood_attention %x, %x, %x { heads = 2, size = 3, scale = 1.0, border = wrap }
;     |                                                                                        ^^^^ expected zero, mask or clamp
