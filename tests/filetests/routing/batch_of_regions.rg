; test eval
; test plan target=x86-64-v4
; test check

// Regions of several images: numbers count within an image.
graph batch_of_regions {
  %q = input : f32[3, 4, 5, 6]
  %k = input : f32[3, 7, 3, 6]
  %v = input : f32[3, 7, 3, 4]
  %routes = route %q, %k { k = 3 }
  %y = routed_attention %q, %k, %v, %routes { heads = 2, scale = 0.5 }
  return %y, %routes
}

; expect eval
;   20370 flops
;   %y : f32[3, 4, 5, 4] = -0.24642 -0.19180 -0.15500 -0.06726 -0.24646 -0.22502 … norm 3.31457
;   %routes : i32[3, 4, 3] = 3.00000 1.00000 6.00000 1.00000 0.00000 4.00000 … norm 22.33831

; expect plan target=x86-64-v4
;   plan batch_of_regions {
;     %11 = row [21, 6] reading %k
;     %13 = matmul [3, 4, 6] by [6, 7] reading %q, %11
;     %29 = row [84, 1] reading %13, %7
;     %routes = row [12, 3] reading %29, %8, %3
;     %y = attend [24, 5, 9] over 2 values reading %routes, %41, %v, %q, %k
;   }

; expect check
;   %y, %routes within 1e-5 of the reference
