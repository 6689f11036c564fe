; test error

graph g {
  %x = input : f32[2, 3]
  %y = softmax %x { axis = -1, epsilon = 1e-5 }
  return %y
}

; expect error
;   error: softmax has no attribute `epsilon`
;    --> errors/unknown_attribute.rg:5:32
;     |
;   5 |   %y = softmax %x { axis = -1, epsilon = 1e-5 }
;     |                                ^^^^^^^ expected `axis`
